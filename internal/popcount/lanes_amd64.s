//go:build amd64 && !purego

#include "textflag.h"

// PAIR sets A and B to where the rows of the next pair begin.
#define PAIR(A, B) \
	MOVLQSX (DX), A; \
	IMULQ stride+32(FP), A; \
	ADDQ slab+24(FP), A; \
	MOVLQSX (DI), B; \
	IMULQ stride+32(FP), B; \
	ADDQ slab+24(FP), B; \
	ADDQ $4, DX; \
	ADDQ $4, DI

// WEIGH adds to Z what words of A and B have in common, weighted by Z8.
#define WEIGH(A, B, Z) \
	VMOVDQU64 (A)(AX*8), Z0; \
	VPANDQ (B)(AX*8), Z0, Z0; \
	VPOPCNTQ Z0, Z0; \
	VPMULUDQ Z8, Z0, Z0; \
	VPADDQ Z0, Z, Z

// TAKE leaves of word AX of ROW what is set in BX, and adds it to what is in LEFT.
#define TAKE(ROW, V, LEFT) \
	MOVQ (ROW)(AX*8), V; \
	PEXTQ BX, V, V; \
	SHLXQ CX, V, R11; \
	ORQ R11, LEFT

// func extractWide(dst *uint64, step, next int, mask *uint64, ends *uint8, words int, slab *uint64, stride int, rows *int32, n int)
TEXT ·extractWide(SB), NOSPLIT, $0-80
	MOVQ dst+0(FP), DX
	MOVQ mask+24(FP), SI
	SHLQ $3, step+8(FP)
	SHLQ $3, next+16(FP)
	SHLQ $3, stride+56(FP)
pair: // two rows at a time; the last one twice if there is one too many
	MOVQ rows+64(FP), R10
	MOVLQSX (R10), DI
	IMULQ stride+56(FP), DI
	ADDQ slab+48(FP), DI
	MOVQ DI, R8
	MOVQ DX, R12         // where their next words go
	MOVQ DX, R13
	CMPQ n+72(FP), $1
	JEQ begin
	MOVLQSX 4(R10), R8
	IMULQ stride+56(FP), R8
	ADDQ slab+48(FP), R8
	ADDQ next+16(FP), R13
begin:
	XORQ R9, R9          // their bits that are not written yet,
	XORQ R10, R10
	XORQ CX, CX          // and how many
	XORQ AX, AX
word:
	MOVQ (SI)(AX*8), BX
	TAKE(DI, R14, R9)
	TAKE(R8, R15, R10)
	POPCNTQ BX, BX
	ADDQ BX, CX
	CMPQ CX, $64
	JLT end
	MOVQ R9, (R12)
	MOVQ R10, (R13)
	ADDQ step+8(FP), R12
	ADDQ step+8(FP), R13
	SUBQ $64, CX
	SUBQ CX, BX          // so many of the bits were written; all 64 if none is left
	XORQ R9, R9
	XORQ R10, R10
	CMPQ BX, $64
	JGE end
	SHRXQ BX, R14, R9
	SHRXQ BX, R15, R10
end:
	MOVQ ends+32(FP), R11
	MOVBLZX (R11)(AX*1), R11
	INCQ AX
	TESTL R11, R11
	JZ next
	TESTQ CX, CX
	JZ next
	MOVQ R9, (R12)
	MOVQ R10, (R13)
	ADDQ step+8(FP), R12
	ADDQ step+8(FP), R13
	XORQ R9, R9
	XORQ R10, R10
	XORQ CX, CX
next:
	CMPQ AX, words+40(FP)
	JLT word
	MOVQ next+16(FP), AX
	LEAQ (DX)(AX*2), DX
	ADDQ $8, rows+64(FP)
	SUBQ $2, n+72(FP)
	JG pair
	RET

DATA ·iota<>+0(SB)/4, $0
DATA ·iota<>+4(SB)/4, $1
DATA ·iota<>+8(SB)/4, $2
DATA ·iota<>+12(SB)/4, $3
DATA ·iota<>+16(SB)/4, $4
DATA ·iota<>+20(SB)/4, $5
DATA ·iota<>+24(SB)/4, $6
DATA ·iota<>+28(SB)/4, $7
GLOBL ·iota<>(SB), RODATA|NOPTR, $32

// func selectWide(lanes, counts *int32, x *uint64, words int, bits *uint64, width int, set *uint64, groups int, least int64) int
TEXT ·selectWide(SB), NOSPLIT, $0-80
	MOVQ lanes+0(FP), DX
	MOVQ counts+8(FP), DI
	MOVQ x+16(FP), SI
	MOVQ words+24(FP), CX
	MOVQ bits+32(FP), BX
	MOVQ width+40(FP), R8
	SHLQ $3, R8
	MOVQ set+48(FP), R9
	MOVQ groups+56(FP), R10
	VPBROADCASTQ least+64(FP), Z4
	VMOVDQU ·iota<>(SB), Y5 // the lanes of the group
	MOVQ $8, AX
	VMOVQ AX, X6
	VPBROADCASTD X6, Y6
	XORQ R11, R11 // lanes found
group:
	MOVBLZX (R9), R12
	TESTL R12, R12
	JZ next
	KMOVW R12, K1
	VPXORQ Z1, Z1, Z1
	MOVQ BX, R13
	XORQ AX, AX
word:
	VPBROADCASTQ (SI)(AX*8), Z0
	VPANDQ (R13), Z0, Z0
	VPOPCNTQ Z0, Z0
	VPADDQ Z0, Z1, Z1
	ADDQ R8, R13
	INCQ AX
	CMPQ AX, CX
	JLT word
	VPCMPQ $5, Z4, Z1, K1, K2 // not below least
	KMOVW K2, R12
	TESTL R12, R12
	JZ next
	VPMOVQD Z1, Y1
	VPCOMPRESSD Z1, K2, Z1
	VPCOMPRESSD Z5, K2, Z2
	VMOVDQU Y1, (DI)(R11*4)
	VMOVDQU Y2, (DX)(R11*4)
	POPCNTL R12, R12
	ADDQ R12, R11
next:
	VPADDD Y6, Y5, Y5
	ADDQ $64, BX
	INCQ R9
	DECQ R10
	JNZ group
	VZEROUPPER
	MOVQ R11, ret+72(FP)
	RET

// func weighPairsWide(dst, weights *uint64, words int, slab *uint64, stride int, a, b *int32, n int)
TEXT ·weighPairsWide(SB), NOSPLIT, $0-64
	MOVQ dst+0(FP), BX
	MOVQ weights+8(FP), SI
	MOVQ words+16(FP), CX
	SHLQ $3, stride+32(FP)
	MOVQ a+40(FP), DX
	MOVQ b+48(FP), DI
four:
	PAIR(R8, R9)
	PAIR(R10, R11)
	PAIR(R12, R13)
	PAIR(R14, R15)
	VPXORQ Z1, Z1, Z1
	VPXORQ Z2, Z2, Z2
	VPXORQ Z3, Z3, Z3
	VPXORQ Z4, Z4, Z4
	XORQ AX, AX
loop:
	VMOVDQU64 (SI)(AX*8), Z8
	WEIGH(R8, R9, Z1)
	WEIGH(R10, R11, Z2)
	WEIGH(R12, R13, Z3)
	WEIGH(R14, R15, Z4)
	ADDQ $8, AX
	CMPQ AX, CX
	JLT loop
	VPUNPCKLQDQ Z2, Z1, Z5
	VPUNPCKHQDQ Z2, Z1, Z6
	VPADDQ Z6, Z5, Z5
	VPUNPCKLQDQ Z4, Z3, Z7
	VPUNPCKHQDQ Z4, Z3, Z6
	VPADDQ Z6, Z7, Z7
	VEXTRACTI64X4 $1, Z5, Y6
	VPADDQ Y6, Y5, Y5
	VEXTRACTI64X4 $1, Z7, Y6
	VPADDQ Y6, Y7, Y7
	VEXTRACTI128 $1, Y5, X6
	VPADDQ X6, X5, X5
	VEXTRACTI128 $1, Y7, X6
	VPADDQ X6, X7, X7
	VMOVDQU X5, (BX)
	VMOVDQU X7, 16(BX)
	ADDQ $32, BX
	SUBQ $4, n+56(FP)
	JG four
	VZEROUPPER
	RET
