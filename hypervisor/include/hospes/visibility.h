/* Every symbol is in this one image: addresses are formed relative to the instruction, without a
 * GOT. */
#pragma GCC visibility push(hidden)
