#!/bin/sh
# Run while the image is built, in the repository's copy: the packages, the extension, and where its model host is.
set -eu
pip install --no-cache-dir -c constraints.txt '.[host,catalog]'
PG_CONFIG=/usr/lib/postgresql/17/bin/pg_config HOST_PYTHON=/opt/pglore/bin/python dev/install.sh
install -m 755 docker/entry.sh /usr/local/bin/pglore-entry
