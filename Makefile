# pglore: what a developer types. The work is done by the scripts in dev/; `make help` lists the targets.
.DEFAULT_GOAL := help
.PHONY: help up down psql install lint test bench docs demo clean

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

up:  ## start the local server, with the extension and the catalog; prints its DSN as the last line
	@dev/up.sh

down:  ## stop the local server
	@dev/server.sh stop demo

psql:  ## open psql on the local server (or on PGLORE_DSN)
	@dev/psql.sh

install:  ## install the extension into another server: make install PG_CONFIG=... HOST_PYTHON=...
	@dev/install.sh

lint:  ## check the style of Python, SQL and shell
	@dev/lint.sh

test:  ## run the tests on a server of their own: make test [ARGS='tests/sql -k search']
	@dev/test.sh $(ARGS)

bench:  ## run one benchmark against the local server: make bench NAME=quality [ARGS=...]
	@dev/bench.sh

docs:  ## write the generated pages of docs/reference/ anew
	@dsn=$$(dev/up.sh | tail -n 1) && .venv/bin/python docs/reference.py --dsn "$$dsn"

demo:  ## load the PostgreSQL manual and ask it three questions
	@dev/demo.sh

clean:  ## stop and remove this checkout's servers (with their data), its environment and what was built
	@dev/clean.sh

export PG_CONFIG HOST_PYTHON DESTDIR NAME ARGS
