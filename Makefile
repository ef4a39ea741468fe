# The commands of this repository. Each is one line, so that it can be run without make.

.PHONY: help setup test demo ci

help:
	@echo "make setup   install what is needed beside Go: PostgreSQL's server programs, curl, jq, Chromium (apt, dnf or brew)"
	@echo "make test    run every test, against real PostgreSQL and real NATS"
	@echo "make demo    start everything, with demo traffic; Ctrl-C stops it"
	@echo "make ci      what continuous integration runs"

setup:
	@sh scripts/setup.sh

test:
	go test -timeout 30m ./...

demo:
	go run ./cmd/customercenter up --demo

ci:
	bash .ci/run
