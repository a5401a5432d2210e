/* SPDX-License-Identifier: GPL-2.0-only */
/* An edu device that the test module has bound natively. */
#ifndef SELFTESTS_DEVICE_UTIL_H
#define SELFTESTS_DEVICE_UTIL_H

#include "access_util.h"
#include "edu.h"

/* A device: who drives it, its registers, its object id */
struct device {
	const char *name;
	int at;
	uint32_t id;
	struct edu edu;
};

/* @variable: EDU0 and so on, without a driver */
static inline struct device device_new(int iommufd, const char *variable)
{
	struct device d = { .name = name_of(variable), .at = access_open() };

	if (device_bind(d.at, iommufd, d.name, &d.id))
		bail("bind %s", d.name);
	edu_init_native(&d.edu, d.name);
	return d;
}

static inline void device_end(struct device *d)
{
	edu_unmap_bar(&d->edu);
	close(d->edu.fd);
	close(d->at);
}

#endif
