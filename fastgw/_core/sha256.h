/* SHA-256 (FIPS 180-4) of a message in memory: the processor's own instructions where it has them, plain C elsewhere. */
#ifndef FASTGW_SHA256_H
#define FASTGW_SHA256_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static const uint32_t fastgw_sha256_round[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static const uint32_t fastgw_sha256_start[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

typedef void (*fastgw_sha256_blocks)(uint32_t state[8], const uint8_t *block, size_t count);

static inline uint32_t fastgw_rotate(uint32_t word, int bits) {
    return (word >> bits) | (word << (32 - bits));
}

static void fastgw_sha256_portable(uint32_t state[8], const uint8_t *block, size_t count) {
    for (; count; count--, block += 64) {
        uint32_t w[64], v[8];
        for (int t = 0; t < 16; t++)
            w[t] = (uint32_t)block[4 * t] << 24 | (uint32_t)block[4 * t + 1] << 16
                 | (uint32_t)block[4 * t + 2] << 8 | block[4 * t + 3];
        for (int t = 16; t < 64; t++) {
            uint32_t near = w[t - 2], far = w[t - 15];
            w[t] = w[t - 16] + w[t - 7]
                 + (fastgw_rotate(far, 7) ^ fastgw_rotate(far, 18) ^ far >> 3)
                 + (fastgw_rotate(near, 17) ^ fastgw_rotate(near, 19) ^ near >> 10);
        }
        memcpy(v, state, sizeof v);
        for (int t = 0; t < 64; t++) {
            uint32_t a = v[0], e = v[4];
            uint32_t first = v[7] + fastgw_sha256_round[t] + w[t] + ((e & v[5]) ^ (~e & v[6]))
                           + (fastgw_rotate(e, 6) ^ fastgw_rotate(e, 11) ^ fastgw_rotate(e, 25));
            uint32_t second = ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]))
                            + (fastgw_rotate(a, 2) ^ fastgw_rotate(a, 13) ^ fastgw_rotate(a, 22));
            v[7] = v[6]; v[6] = v[5]; v[5] = e; v[4] = v[3] + first;
            v[3] = v[2]; v[2] = v[1]; v[1] = a; v[0] = first + second;
        }
        for (int i = 0; i < 8; i++)
            state[i] += v[i];
    }
}

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define FASTGW_SHA256_NATIVE 1
#include <immintrin.h>

/* The instructions keep the state as (a b e f) and (c d g h) and do two rounds each; four message words sit in a register. */
__attribute__((target("sha,sse4.1")))
static void fastgw_sha256_native(uint32_t state[8], const uint8_t *block, size_t count) {
    const __m128i big_endian = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
    __m128i abef = _mm_set_epi32((int)state[0], (int)state[1], (int)state[4], (int)state[5]);
    __m128i cdgh = _mm_set_epi32((int)state[2], (int)state[3], (int)state[6], (int)state[7]);
    for (; count; count--, block += 64) {
        __m128i was_abef = abef, was_cdgh = cdgh, w[4];
        for (int i = 0; i < 4; i++)
            w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(block + 16 * i)), big_endian);
#pragma GCC unroll 16
        for (int g = 0; g < 16; g++) {
            __m128i now = w[g & 3], near = w[(g + 3) & 3];
            __m128i keyed = _mm_add_epi32(now, _mm_loadu_si128((const __m128i *)(fastgw_sha256_round + 4 * g)));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, keyed);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(keyed, 0x0e));
            if (g < 12)
                w[g & 3] = _mm_sha256msg2_epu32(
                    _mm_add_epi32(_mm_sha256msg1_epu32(now, w[(g + 1) & 3]), _mm_alignr_epi8(near, w[(g + 2) & 3], 4)),
                    near);
        }
        abef = _mm_add_epi32(abef, was_abef);
        cdgh = _mm_add_epi32(cdgh, was_cdgh);
    }
    uint32_t out[8];
    _mm_storeu_si128((__m128i *)out, abef);
    _mm_storeu_si128((__m128i *)(out + 4), cdgh);
    state[0] = out[3]; state[1] = out[2]; state[4] = out[1]; state[5] = out[0];
    state[2] = out[7]; state[3] = out[6]; state[6] = out[5]; state[7] = out[4];
}

/* Asked of CPUID itself: GCC 12's __builtin_cpu_supports does not know "sha". */
#include <cpuid.h>
static int fastgw_sha256_has_native(void) {
    unsigned a, b, c, d, wide;
    if (!__get_cpuid(1, &a, &b, &wide, &d) || !__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return 0;
    return (wide >> 19 & 1) && (wide >> 9 & 1) && (b >> 29 & 1);   /* sse4.1, ssse3, sha */
}
#else
#define FASTGW_SHA256_NATIVE 0
#define fastgw_sha256_native fastgw_sha256_portable
static int fastgw_sha256_has_native(void) { return 0; }
#endif

static void fastgw_sha256(fastgw_sha256_blocks blocks, const char *message, size_t bytes, uint8_t out[32]) {
    uint32_t state[8];
    uint8_t tail[128] = {0};
    size_t whole = bytes / 64, rest = bytes % 64, padded = rest < 56 ? 64 : 128;
    uint64_t bits = (uint64_t)bytes * 8;
    memcpy(state, fastgw_sha256_start, sizeof state);
    if (whole)
        blocks(state, (const uint8_t *)message, whole);
    if (rest)
        memcpy(tail, message + 64 * whole, rest);
    tail[rest] = 0x80;
    for (int i = 0; i < 8; i++)
        tail[padded - 1 - i] = (uint8_t)(bits >> 8 * i);
    blocks(state, tail, padded / 64);
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 4; j++)
            out[4 * i + j] = (uint8_t)(state[i] >> (24 - 8 * j));
}
#endif
