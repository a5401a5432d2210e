// SPDX-License-Identifier: GPL-2.0-only
/*
 * A user of container, group and device for scripts: no TAP, only a status.
 * Who serves the container is for the script to check.
 *
 * usage: vfio_hold            one round of DMA, then close
 *        vfio_hold --hold     DMA, "ready" on stdout, wait for the end of stdin,
 *                             DMA again, close
 *        vfio_hold --refused  the container's fd must not be accepted (EINVAL)
 */
#include "edu.h"

static int refused(const struct vfio_pci_addr *addr)
{
	int container = container_open(), group = group_open(addr->group);

	if (set_container(group, container) != -1 || errno != EINVAL) {
		printf("SET_CONTAINER was not refused: errno %d\n", errno);
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct vfio_pci_addr addr = edu_first();
	struct edu_session s;
	char c;

	if (argc > 1 && !strcmp(argv[1], "--refused"))
		return refused(&addr);
	edu_any_server = true;
	edu_session_open(&s, &addr, VFIO_TYPE1v2_IOMMU);
	if (!edu_roundtrip(&s, 16 * MIB, 1)) {
		printf("no DMA\n");
		return 1;
	}
	if (argc > 1 && !strcmp(argv[1], "--hold")) {
		printf("ready\n");
		fflush(stdout);
		while (read(STDIN_FILENO, &c, 1) > 0)
			;
		if (!edu_roundtrip(&s, 16 * MIB, 2)) {
			printf("no DMA at the end\n");
			return 1;
		}
	}
	edu_session_close(&s);
	return 0;
}
