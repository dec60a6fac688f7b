/* SPDX-License-Identifier: MIT */
/*
 * crc32.h - the checksum of GPT partition tables and of much else.
 */
#ifndef TESSERA_CRC32_H
#define TESSERA_CRC32_H

#include <tessera/types.h>

/* Of n bytes, from all ones, inverted at the end. */
uint32_t crc32(const void *data, size_t n);

#endif
