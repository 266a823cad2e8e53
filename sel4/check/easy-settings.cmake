# SPDX-License-Identifier: BSD-2-Clause
#
# A link to this file in a workspace's folder tells init-build.sh which project to configure. It has no choices.
