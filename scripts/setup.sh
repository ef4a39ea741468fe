#!/bin/sh
# Installs what customercenter and its tests need on this machine, beside Go:
# the server programs of PostgreSQL; curl and jq, with which the tour is
# walked and tested; and Chromium with Chinese fonts, in which the pages are
# tested. No server is started and no database made:
# the product and the tests start private ones from the programs.
#
# Run it again at any time: what is there is left alone. Root rights are asked
# for, with sudo, only when something is to be installed and you are not root.
#
# To add a tool: write have_<tool> and install_<tool>, and name it in tools.
set -eu

tools="postgres curl jq chromium fonts"
oldest_postgres=14

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif has sudo; then
		sudo "$@"
	else
		die "this needs root rights, and there is no sudo: run as root: $*"
	fi
}

# manager prints which package manager to use.
manager() {
	for m in apt-get dnf brew; do
		if has "$m"; then
			echo "$m"
			return
		fi
	done
	echo none
}

# postgres_dirs prints where postgres may be: the places where the product looks,
# see internal/postgres/binaries.go.
postgres_dirs() {
	if [ -n "${POSTGRES_BIN_DIR:-}" ]; then
		echo "$POSTGRES_BIN_DIR"
		return
	fi
	if has postgres; then dirname "$(command -v postgres)"; fi
	if has pg_config; then pg_config --bindir; fi
	for d in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/libexec/postgresql* \
		/opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin \
		/Applications/Postgres.app/Contents/Versions/*/bin /nix/var/nix/profiles/default/bin; do
		echo "$d"
	done
}

# have_postgres prints the version of the first installation that will do.
have_postgres() {
	postgres_dirs | while IFS= read -r d; do
		[ -x "$d/postgres" ] && [ -x "$d/initdb" ] || continue
		v=$("$d/postgres" --version 2>/dev/null | sed -n 's/.*(PostgreSQL) \([0-9][^ ]*\).*/\1/p')
		major=${v%%[!0-9]*}
		if [ "${major:-0}" -ge "$oldest_postgres" ]; then
			echo "PostgreSQL $v in $d"
			break
		fi
	done
}

install_postgres() {
	case $(manager) in
	apt-get)
		# Debian's package makes a cluster and starts it, unless told not to.
		note=/etc/postgresql-common/createcluster.d/customercenter-setup.conf
		as_root mkdir -p "$(dirname "$note")"
		echo "create_main_cluster = false" | as_root tee "$note" >/dev/null
		# A list that cannot be renewed may still be good enough.
		as_root apt-get update -q || say "the package lists could not be renewed; trying all the same"
		status=0
		as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends postgresql || status=$?
		as_root rm -f "$note"
		return $status
		;;
	dnf)
		# Where versions are modules, the default one may be too old.
		as_root dnf -y -q module enable postgresql:16 >/dev/null 2>&1 || true
		as_root dnf -y install postgresql-server postgresql-contrib
		;;
	brew)
		brew install postgresql@17
		;;
	*)
		die "there is no apt-get, dnf or brew here: install PostgreSQL $oldest_postgres or newer," \
			"or set POSTGRES_BIN_DIR to the directory that holds postgres and initdb," \
			"or DATABASE_URL (for tests TEST_DATABASE_URL) to a server that is running"
		;;
	esac
}

have_curl() { if has curl; then echo "curl"; fi; }
have_jq() { if has jq; then echo "jq"; fi; }
install_curl() { install_package curl; }
install_jq() { install_package jq; }

# install_package installs one that has the same name everywhere.
install_package() {
	case $(manager) in
	apt-get)
		as_root apt-get update -q || say "the package lists could not be renewed; trying all the same"
		as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$1"
		;;
	dnf) as_root dnf -y install "$1" ;;
	brew) brew install "$1" ;;
	*) die "there is no apt-get, dnf or brew here: install $1" ;;
	esac
}

# have_chromium prints what will do as a browser: the places where the tests look,
# see findChromium in api/pages/browser_test.go.
have_chromium() {
	if [ -n "${CHROMIUM:-}" ]; then
		echo "$CHROMIUM"
		return
	fi
	for b in chromium-headless-shell chromium chromium-browser google-chrome google-chrome-stable chrome headless_shell \
		"/Applications/Chromium.app/Contents/MacOS/Chromium" \
		"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"; do
		# Ubuntu's chromium-browser only says that it is a snap, which does not run everywhere.
		if has "$b" && "$b" --version >/dev/null 2>&1; then
			echo "$b"
			return
		fi
	done
}

install_chromium() {
	case $(manager) in
	apt-get)
		as_root apt-get update -q || say "the package lists could not be renewed; trying all the same"
		# The shell is the same browser without windows of its own: the tests take less than half of the processor's time. Not every release has it.
		for b in chromium-headless-shell chromium; do
			as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$b" && return
		done
		return 1
		;;
	dnf) as_root dnf -y install chromium ;;
	brew) brew install --cask chromium ;;
	*) die "there is no apt-get, dnf or brew here: install Chromium or Chrome, or set CHROMIUM to where one is" ;;
	esac
}

# have_fonts prints something if Chinese characters can be shown; macOS always can.
have_fonts() {
	if [ "$(uname -s)" = Darwin ]; then
		echo "fonts with Chinese characters"
	elif has fc-list && [ -n "$(fc-list :lang=zh family 2>/dev/null)" ]; then
		echo "fonts with Chinese characters"
	fi
}

install_fonts() {
	case $(manager) in
	apt-get)
		as_root apt-get update -q || say "the package lists could not be renewed; trying all the same"
		as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends fontconfig fonts-noto-cjk
		;;
	dnf) as_root dnf -y install fontconfig google-noto-sans-cjk-fonts ;;
	*) die "there is no apt-get or dnf here: install fontconfig and a font with Chinese characters" ;;
	esac
}

for tool in $tools; do
	found=$("have_$tool")
	if [ -n "$found" ]; then
		say "$found is there"
		continue
	fi
	say "installing $tool"
	"install_$tool" || die "$tool could not be installed"
	found=$("have_$tool")
	[ -n "$found" ] || die "$tool was installed, but none that will do is found" \
		"(PostgreSQL must be $oldest_postgres or newer: https://www.postgresql.org/download/ has packages for older systems)"
	say "$found is installed"
done
