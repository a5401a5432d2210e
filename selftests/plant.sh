#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# A kernel bug on purpose (mock/iommufd_plant.c), from a program that finds
# nothing wrong: scripts/test-runner wants the row to be red all the same.

insmod "${KO:?}/mock/iommufd_plant.ko" "bug=$1" && rmmod iommufd_plant && echo "ok 1 - planted"
echo 1..1
