# SPDX-License-Identifier: GPL-2.0-only
#
# Everything is done by scripts, each of which installs or builds what it needs.
# `make help` lists the targets; KVER=... chooses another installed 6.1 kernel.

.PHONY: all debug setup check test test-long test-kselftest bench bench-threads \
	run shell clean help
.NOTPARALLEL:

all: setup
	@scripts/build

# Built where the cache has none yet; make test does it too.
debug: setup
	@scripts/debug-kernel debug
	@scripts/build --kernel debug
	@scripts/debug-kernel kcsan
	@scripts/build --kernel kcsan

setup:
	@scripts/setup

check: setup
	@scripts/check

# T=name (or a pattern) runs only those rows of selftests/tests.table.
test: setup
	@scripts/run-tests --build $(if $(T),--only '$(T)')

test-long: setup
	@scripts/run-tests --build --long $(if $(T),--only '$(T)')

# The kernel's own tests: KERNEL_TREE=DIRECTORY takes them from there.
test-kselftest: setup
	@scripts/run-tests --build --only 'kselftest*'

# scripts/bench --help: less of it, or the functions that take the instructions.
bench: setup
	@scripts/bench

bench-threads: setup
	@scripts/bench --threads

run: all
	@scripts/run-demo

shell: all
	@scripts/guest --shell --setup symlink

clean:
	rm -rf build
	@$(MAKE) -s -C selftests clean
	@$(MAKE) -s -C bench clean

help:
	@echo 'make            build the modules (build/<kernel>/) and the selftests'
	@echo 'make run        watch an unmodified VFIO program and QEMU do DMA through /dev/iommu, in a guest'
	@echo 'make shell      a prompt in that guest: modules loaded, /dev/vfio/vfio linked to /dev/iommu'
	@echo 'make debug      the debug kernels (minutes, once) and the modules for them'
	@echo 'make test       all quick tests, in guests; T=name runs one'
	@echo 'make test-long  those and the long ones'
	@echo 'make test-kselftest  only the iommufd selftests of the newest kernel in Debian'
	@echo 'make bench      what mapping costs, in instructions, beside stock type1 (20 minutes)'
	@echo 'make bench-threads  two threads that map and unmap, beside one'
	@echo 'make check      warnings, sparse, checkpatch, layering and other house rules'
	@echo 'make clean      remove what was built'
	@echo 'All of them first install what is missing (as root, Debian packages by name).'
	@echo 'KVER=6.1.0-NN-amd64 chooses another installed 6.1 kernel. More: Documentation/testing.rst'
