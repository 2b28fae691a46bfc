//go:build amd64 && !purego

#include "textflag.h"

// ADDUP adds the eight words of Z up into R; Y and X are its lower halves, and T is
// overwritten.
#define ADDUP(Z, Y, X, TY, TX, R) \
	VEXTRACTI64X4 $1, Z, TY; \
	VPADDQ TY, Y, Y; \
	VEXTRACTI128 $1, Y, TX; \
	VPADDQ TX, X, X; \
	VPSHUFD $0xEE, X, TX; \
	VPADDQ TX, X, X; \
	VMOVQ X, R

// func andWide(dst, x, y *uint64, words int) int64
TEXT ·andWide(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DX
	MOVQ x+8(FP), SI
	MOVQ y+16(FP), DI
	MOVQ words+24(FP), CX
	VPXORQ Z1, Z1, Z1
	XORQ AX, AX
loop:
	VMOVDQU64 (SI)(AX*8), Z0
	VPANDQ (DI)(AX*8), Z0, Z0
	VMOVDQU64 Z0, (DX)(AX*8)
	VPOPCNTQ Z0, Z0
	VPADDQ Z0, Z1, Z1
	ADDQ $8, AX
	CMPQ AX, CX
	JLT loop
	ADDUP(Z1, Y1, X1, Y0, X0, AX)
	VZEROUPPER
	MOVQ AX, ret+32(FP)
	RET

// func commonWide(x, y, z *uint64, words int) int64
TEXT ·commonWide(SB), NOSPLIT, $0-40
	MOVQ x+0(FP), SI
	MOVQ y+8(FP), DI
	MOVQ z+16(FP), DX
	MOVQ words+24(FP), CX
	VPXORQ Z1, Z1, Z1
	XORQ AX, AX
loop:
	VMOVDQU64 (SI)(AX*8), Z0
	VPANDQ (DI)(AX*8), Z0, Z0
	VPANDQ (DX)(AX*8), Z0, Z0
	VPOPCNTQ Z0, Z0
	VPADDQ Z0, Z1, Z1
	ADDQ $8, AX
	CMPQ AX, CX
	JLT loop
	ADDUP(Z1, Y1, X1, Y0, X0, AX)
	VZEROUPPER
	MOVQ AX, ret+32(FP)
	RET

// func eachWide(dst *int32, x *uint64, words int, slab *uint64, stride int, rows *int32, n int)
TEXT ·eachWide(SB), NOSPLIT, $0-56
	MOVQ dst+0(FP), DX
	MOVQ x+8(FP), SI
	MOVQ words+16(FP), CX
	MOVQ slab+24(FP), BX
	MOVQ stride+32(FP), R8
	SHLQ $3, R8
	MOVQ rows+40(FP), R9
	MOVQ n+48(FP), R10
row:
	MOVLQSX (R9), DI
	IMULQ R8, DI
	ADDQ BX, DI
	VMOVDQU64 (SI), Z0
	VPANDQ (DI), Z0, Z0
	VPOPCNTQ Z0, Z1
	MOVQ $8, AX
	CMPQ AX, CX
	JGE done
loop:
	VMOVDQU64 (SI)(AX*8), Z0
	VPANDQ (DI)(AX*8), Z0, Z0
	VPOPCNTQ Z0, Z0
	VPADDQ Z0, Z1, Z1
	ADDQ $8, AX
	CMPQ AX, CX
	JLT loop
done:
	ADDUP(Z1, Y1, X1, Y0, X0, AX)
	MOVL AX, (DX)
	ADDQ $4, R9
	ADDQ $4, DX
	DECQ R10
	JNZ row
	VZEROUPPER
	RET

// func weighEachWide(dst, weights, x *uint64, words int, slab *uint64, stride int, rows *int32, n int)
TEXT ·weighEachWide(SB), NOSPLIT, $0-64
	MOVQ dst+0(FP), DX
	MOVQ weights+8(FP), R11
	MOVQ x+16(FP), SI
	MOVQ words+24(FP), CX
	MOVQ slab+32(FP), BX
	MOVQ stride+40(FP), R8
	SHLQ $3, R8
	MOVQ rows+48(FP), R9
	MOVQ n+56(FP), R10
row:
	MOVLQSX (R9), DI
	IMULQ R8, DI
	ADDQ BX, DI
	VMOVDQU64 (SI), Z0
	VPANDQ (DI), Z0, Z0
	VPOPCNTQ Z0, Z0
	VPMULUDQ (R11), Z0, Z1
	MOVQ $8, AX
	CMPQ AX, CX
	JGE done
loop:
	VMOVDQU64 (SI)(AX*8), Z0
	VPANDQ (DI)(AX*8), Z0, Z0
	VPOPCNTQ Z0, Z0
	VPMULUDQ (R11)(AX*8), Z0, Z0
	VPADDQ Z0, Z1, Z1
	ADDQ $8, AX
	CMPQ AX, CX
	JLT loop
done:
	ADDUP(Z1, Y1, X1, Y0, X0, AX)
	MOVQ AX, (DX)
	ADDQ $4, R9
	ADDQ $8, DX
	DECQ R10
	JNZ row
	VZEROUPPER
	RET

// func weighWide(weights, x, y, z *uint64, words int, limit uint64) (n int64, sum uint64)
TEXT ·weighWide(SB), NOSPLIT, $0-64
	MOVQ weights+0(FP), BX
	MOVQ x+8(FP), SI
	MOVQ y+16(FP), DI
	MOVQ z+24(FP), DX
	MOVQ words+32(FP), CX
	MOVQ limit+40(FP), R8
	VPXORQ Z2, Z2, Z2 // the count
	VPXORQ Z3, Z3, Z3 // the sum
	XORQ AX, AX
loop:
	VMOVDQU64 (SI)(AX*8), Z0
	VPANDQ (DI)(AX*8), Z0, Z0
	VPANDQ (DX)(AX*8), Z0, Z0
	VPOPCNTQ Z0, Z0
	VPADDQ Z0, Z2, Z2
	VPMULUDQ (BX)(AX*8), Z0, Z0
	VPADDQ Z0, Z3, Z3
	ADDQ $8, AX
	CMPQ AX, CX
	JGE end
	TESTQ $24, AX // every 32 words: most sums are above the limit soon
	JNZ loop
	VMOVDQA64 Z3, Z4
	ADDUP(Z4, Y4, X4, Y0, X0, R9)
	CMPQ R9, R8
	JLS loop
	VZEROUPPER
	MOVQ AX, n+48(FP)
	MOVQ R9, sum+56(FP)
	RET
end:
	ADDUP(Z2, Y2, X2, Y0, X0, AX)
	ADDUP(Z3, Y3, X3, Y0, X0, R9)
	VZEROUPPER
	MOVQ AX, n+48(FP)
	MOVQ R9, sum+56(FP)
	RET
