/* SPDX-License-Identifier: GPL-2.0-only */
/* Reading diff_expected.list */
#ifndef SELFTESTS_DIFF_LIST_H
#define SELFTESTS_DIFF_LIST_H

#include <libgen.h>

#include "vfio_util.h"

#define MAX_EXPECTED 32

/**
 * struct expected - a listed difference
 * @rule: diff_type1 has a rule for it, and must meet it
 * @met: how often something did
 */
struct expected {
	char name[40];
	bool rule;
	unsigned long met;
};

static struct expected expected[MAX_EXPECTED];
static unsigned int nexpected;

static inline char *trim(char *s)
{
	char *end = s + strlen(s);

	while (end > s && isspace((unsigned char)end[-1]))
		*--end = 0;
	while (isspace((unsigned char)*s))
		s++;
	return s;
}

static inline void expected_add(char *line, const char *path)
{
	struct expected *e = &expected[nexpected];
	char *field[6];
	int n = 0;

	line = trim(line);
	if (!*line || *line == '#')
		return;
	while (n < 6 && line)
		field[n++] = trim(strsep(&line, "|"));
	errno = EINVAL;
	if (n != 6 || line || nexpected == MAX_EXPECTED)
		bail("%s: a line with %d fields", path, n);
	for (int i = 0; i < 6; i++)
		if (!*field[i])
			bail("%s: %s: field %d is empty", path, field[0], i);
	snprintf(e->name, sizeof(e->name), "%s", field[0]);
	e->rule = !strcmp(field[5], "rule");
	if (!e->rule && strcmp(field[5], "kept out"))
		bail("%s: %s: neither 'rule' nor 'kept out'", path, field[0]);
	nexpected++;
}

/* The list lies beside the program. */
static inline void expected_read(const char *argv0)
{
	char path[PATH_MAX], copy[PATH_MAX / 2], line[2048];
	FILE *f;

	snprintf(copy, sizeof(copy), "%s", argv0);
	snprintf(path, sizeof(path), "%s/diff_expected.list", dirname(copy));
	f = fopen(path, "re");
	if (!f)
		bail("open %s", path);
	while (fgets(line, sizeof(line), f))
		expected_add(line, path);
	fclose(f);
}

static inline struct expected *expected_find(const char *name)
{
	for (unsigned int i = 0; i < nexpected; i++)
		if (!strcmp(expected[i].name, name))
			return &expected[i];
	return NULL;
}

#endif
