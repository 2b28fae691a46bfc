//go:build amd64 && !purego

#include "textflag.h"

// func untilWide(dst *uint32, x, y *uint64, words int) uint32
//
// Eight counts are 32 bits wide each and lie in the lower half of a register; each is
// added to those one, two and four places further up.
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
	VPOPCNTQ Z1, Z1
	VPMOVQD Z1, Y1
	VALIGND $15, Z0, Z1, Z2
	VPADDD Z1, Z2, Z2
	VALIGND $14, Z0, Z2, Z3
	VPADDD Z2, Z3, Z2
	VALIGND $12, Z0, Z2, Z3
	VPADDD Z2, Z3, Z2
	VPERMD Z2, Z5, Z3
	VPSUBD Z1, Z2, Z2
	VPADDD Z4, Z2, Z2
	VPADDD Z3, Z4, Z4
	VMOVDQU Y2, (DX)(AX*4)
	ADDQ $8, AX
	CMPQ AX, CX
	JLT loop
	VMOVD X4, AX
	VZEROUPPER
	MOVL AX, ret+32(FP)
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
