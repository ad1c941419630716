/* One output channel of eight pixels on cores without vectors: two inputs share a word as x + 65536 * y, so that
 * one product serves two pixels. Weights come in parts: the compiler has made them so short that no sum of a part
 * outgrows 16 bits. Parts start at 0x8000 in either half, so that
 * neither is ever negative; the channel's bias takes that back. */
#if defined(EDGEPRUNE_NAKED)
#define EDGEPRUNE_TAKE_PRODUCT(word, sum) \
    "muls " word ", r4\n"                 \
    "add " sum ", " word "\n"
/* The whole sum of a part to one sum, its upper half to the next. */
#define EDGEPRUNE_TAKE_PART(part, whole, upper) \
    "mov r4, " part "\n"                        \
    "adds " whole ", r4\n"                      \
    "lsrs r4, r4, #16\n"                        \
    "adds " upper ", r4\n"
#define EDGEPRUNE_TAKE_LOWER(whole, upper) \
    "lsls r4, " upper ", #16\n"            \
    "subs " whole ", r4\n"

/* Of a function (weights, patches, sums) that returns where the next channel's weights begin.
 * r0-r3: four words; r4: a weight; r5: patches; r6: the end of the part's weights; r7: minus the bytes left;
 * r8-r11: the sums of the part; r12: sums; lr: where parts start; [sp]: NEXT's own, 0 to begin with. NEXT puts the
 * bytes of the next part into r7, or branches to 3; SKIP steps over inputs. */
#define EDGEPRUNE_DOT_1X8(NEXT, SKIP)          \
    __asm__(                                   \
        ".syntax unified\n"                    \
        "push {r4-r7, lr}\n"                   \
        "mov r4, r8\n"                         \
        "mov r5, r9\n"                         \
        "mov r6, r10\n"                        \
        "mov r7, r11\n"                        \
        "push {r4-r7}\n"                       \
        "mov r12, r2\n"                        \
        "mov r5, r1\n"                         \
        "mov r6, r0\n"                         \
        "movs r0, #1\n"                        \
        "lsls r0, r0, #15\n"                   \
        "lsls r1, r0, #16\n"                   \
        "adds r0, r0, r1\n"                    \
        "mov lr, r0\n"                         \
        "movs r0, #0\n"                        \
        "movs r1, #0\n"                        \
        "movs r3, #0\n"                        \
        "movs r4, #0\n"                        \
        "stmia r2!, {r0, r1, r3, r4}\n"        \
        "stmia r2!, {r0, r1, r3, r4}\n"        \
        "push {r0}\n"                          \
        "1:\n"                                 \
        NEXT                                   \
        "adds r6, r6, r7\n"                    \
        "negs r7, r7\n"                        \
        "mov r8, lr\n"                         \
        "mov r9, lr\n"                         \
        "mov r10, lr\n"                        \
        "mov r11, lr\n"                        \
        "2:\n"                                 \
        SKIP                                   \
        "ldrsb r4, [r6, r7]\n"                 \
        "ldmia r5!, {r0-r3}\n"                 \
        EDGEPRUNE_TAKE_PRODUCT("r0", "r8")     \
        EDGEPRUNE_TAKE_PRODUCT("r1", "r9")     \
        EDGEPRUNE_TAKE_PRODUCT("r2", "r10")    \
        EDGEPRUNE_TAKE_PRODUCT("r3", "r11")    \
        "adds r7, #1\n"                        \
        "bne 2b\n"                             \
        "mov r7, r12\n"                        \
        "ldmia r7!, {r0-r3}\n"                 \
        EDGEPRUNE_TAKE_PART("r8", "r0", "r1")  \
        EDGEPRUNE_TAKE_PART("r9", "r2", "r3")  \
        "subs r7, #16\n"                       \
        "stmia r7!, {r0-r3}\n"                 \
        "ldmia r7!, {r0-r3}\n"                 \
        EDGEPRUNE_TAKE_PART("r10", "r0", "r1") \
        EDGEPRUNE_TAKE_PART("r11", "r2", "r3") \
        "subs r7, #16\n"                       \
        "stmia r7!, {r0-r3}\n"                 \
        "b 1b\n"                               \
        "3: mov r7, r12\n"                     \
        "ldmia r7!, {r0-r3}\n"                 \
        EDGEPRUNE_TAKE_LOWER("r0", "r1")       \
        EDGEPRUNE_TAKE_LOWER("r2", "r3")       \
        "subs r7, #16\n"                       \
        "stmia r7!, {r0-r3}\n"                 \
        "ldmia r7!, {r0-r3}\n"                 \
        EDGEPRUNE_TAKE_LOWER("r0", "r1")       \
        EDGEPRUNE_TAKE_LOWER("r2", "r3")       \
        "subs r7, #16\n"                       \
        "stmia r7!, {r0-r3}\n"                 \
        "pop {r0}\n"                           \
        "mov r0, r6\n"                         \
        "pop {r4-r7}\n"                        \
        "mov r8, r4\n"                         \
        "mov r9, r5\n"                         \
        "mov r10, r6\n"                        \
        "mov r11, r7\n"                        \
        "pop {r4-r7, pc}\n")
#else
/* Without a loop, which compilers would make a call of memset. */
static inline void start_sums(int32_t sums[8])
{
    sums[0] = 0;
    sums[1] = 0;
    sums[2] = 0;
    sums[3] = 0;
    sums[4] = 0;
    sums[5] = 0;
    sums[6] = 0;
    sums[7] = 0;
}

/* The sums of a part: one in either half. */
static inline void put_part(uint32_t part, int32_t sums[2])
{
    sums[0] += (int32_t)(part & 0xFFFFU);
    sums[1] += (int32_t)(part >> 16);
}
#endif
