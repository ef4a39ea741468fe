# The commands of this repository. Each is one line, so that it can be run without make.

.PHONY: help setup test demo fuzz soak ci

FUZZTIME ?= 30s
SOAK ?= 30m

help:
	@echo "make setup   install what is needed beside Go: PostgreSQL's server programs, curl, jq, Chromium (apt, dnf or brew)"
	@echo "make test    run every test, against real PostgreSQL and real NATS"
	@echo "make demo    start everything, with demo traffic; Ctrl-C stops it"
	@echo "make fuzz    fuzz every parser, each for FUZZTIME (30s); make test runs the seeds only"
	@echo "make soak    break everything the product depends on, at random, for SOAK (30m), and see that it recovers and does not grow"
	@echo "make ci      what continuous integration runs"

setup:
	@sh scripts/setup.sh

test:
	go test -timeout 30m ./...

demo:
	go run ./cmd/customercenter up --demo

fuzz:
	@grep -rHo 'func Fuzz[A-Za-z]*' --include='*_test.go' . | while IFS=: read -r file name; do go test "$$(dirname "$$file")" -run '^$$' -fuzz "^$${name#func }$$" -fuzztime $(FUZZTIME) || exit 1; done

soak:
	go test ./cmd/customercenter/faults -run 'TestFaults$$' -count 1 -v -faults.for $(SOAK) -timeout 0

ci:
	bash .ci/run
