/*
 * Text from guests and other strangers, made fit for XML and JSON.
 */
#ifndef XEND_LIB_TEXT_H
#define XEND_LIB_TEXT_H

/*
 * A copy of s in which bytes that are no UTF-8, and control characters other than tab and newline,
 * are question marks: a guest's node in the store must not be able to spoil an answer. The caller
 * frees it.
 */
char *text_clean(const char *s);

#endif
