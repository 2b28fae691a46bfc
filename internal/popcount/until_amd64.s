//go:build amd64 && !purego

#include "textflag.h"

// BEFORE counts the bits of eight words. Z gets how many there are before each, as 32
// bits in its lower half Y, and SUM, which has those of all words before, is raised. ZERO
// is zero, LAST seven in each place; T and U are overwritten.
//
// Each count is added to those one, two and four places further up.
#define BEFORE(Z, Y, T, U, SUM, ZERO, LAST) \
	VPOPCNTQ Z, Z; \
	VPMOVQD Z, Y; \
	VALIGND $15, ZERO, Z, T; \
	VPADDD Z, T, T; \
	VALIGND $14, ZERO, T, U; \
	VPADDD T, U, T; \
	VALIGND $12, ZERO, T, U; \
	VPADDD T, U, T; \
	VPERMD T, LAST, U; \
	VPSUBD Z, T, Z; \
	VPADDD SUM, Z, Z; \
	VPADDD U, SUM, SUM

// func untilWide(dst *uint32, x, y *uint64, words int) uint32
TEXT ·untilWide(SB), NOSPLIT, $0-36
	MOVQ dst+0(FP), DX
	MOVQ x+8(FP), SI
	MOVQ y+16(FP), DI
	MOVQ words+24(FP), CX
	VPXORQ Z0, Z0, Z0 // zeros, to shift in
	VPXORQ Z4, Z4, Z4 // all counts so far, in each place
	MOVL $7, AX
	VPBROADCASTD AX, Z5 // the place of the last of eight
	XORQ AX, AX
loop:
	VMOVDQU64 (SI)(AX*8), Z1
	VPANDQ (DI)(AX*8), Z1, Z1
	BEFORE(Z1, Y1, Z2, Z3, Z4, Z0, Z5)
	VMOVDQU Y1, (DX)(AX*4)
	ADDQ $8, AX
	CMPQ AX, CX
	JLT loop
	VMOVD X4, AX
	VZEROUPPER
	MOVL AX, ret+32(FP)
	RET

// func untilApartWide(both, rest *uint32, x, y, z *uint64, words int) (n, m uint32)
TEXT ·untilApartWide(SB), NOSPLIT, $0-56
	MOVQ both+0(FP), DX
	MOVQ rest+8(FP), BX
	MOVQ x+16(FP), SI
	MOVQ y+24(FP), DI
	MOVQ z+32(FP), R8
	MOVQ words+40(FP), CX
	VPXORQ Z0, Z0, Z0
	VPXORQ Z4, Z4, Z4 // all that both had so far, in each place
	VPXORQ Z9, Z9, Z9 // and the rest
	MOVL $7, AX
	VPBROADCASTD AX, Z5
	XORQ AX, AX
loop:
	VMOVDQU64 (SI)(AX*8), Z1
	VPANDQ (R8)(AX*8), Z1, Z1
	VMOVDQU64 (DI)(AX*8), Z6
	VPANDNQ Z1, Z6, Z6
	VPANDQ (DI)(AX*8), Z1, Z1
	BEFORE(Z1, Y1, Z2, Z3, Z4, Z0, Z5)
	BEFORE(Z6, Y6, Z7, Z8, Z9, Z0, Z5)
	VMOVDQU Y1, (DX)(AX*4)
	VMOVDQU Y6, (BX)(AX*4)
	ADDQ $8, AX
	CMPQ AX, CX
	JLT loop
	VMOVD X4, AX
	VMOVD X9, CX
	VZEROUPPER
	MOVL AX, n+48(FP)
	MOVL CX, m+52(FP)
	RET

// func lessWide(dst, x, y *uint64, words int)
TEXT ·lessWide(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DX
	MOVQ x+8(FP), SI
	MOVQ y+16(FP), DI
	MOVQ words+24(FP), CX
	XORQ AX, AX
loop:
	VMOVDQU64 (DI)(AX*8), Z0
	VPANDNQ (SI)(AX*8), Z0, Z0
	VMOVDQU64 Z0, (DX)(AX*8)
	ADDQ $8, AX
	CMPQ AX, CX
	JLT loop
	VZEROUPPER
	RET
