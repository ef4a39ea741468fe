package filter_test

import (
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"customercenter/domain/filter"
)

func TestParseDecimal(t *testing.T) {
	for in, want := range map[string]filter.Decimal{
		"0": "0", "-0": "0", "0.000": "0", "0e99999999999999999999": "0", "7": "7", "-7": "-7", "007": "7", "1.50": "1.5", "100": "100", "0.010": "0.01",
		"1e3": "1000", "1E+3": "1000", "15e-1": "1.5", "0.00012e4": "1.2", "12000e-3": "12", "1e15": "1000000000000000",
		"9999999999999999": "9999999999999999", "-9999999.999999999": "-9999999.999999999", "0.000000000000001": "0.000000000000001", "1e-15": "0.000000000000001",
		"10000000000000000e-1": "1000000000000000", "1.00000000000000000000000000000": "1",
	} {
		if got, ok := filter.ParseDecimal(in); !ok || got != want {
			t.Errorf("%s is %q, %v, want %s", in, got, ok, want)
		}
	}
	for _, in := range []string{"", "-", ".", ".5", "5.", "+5", "0x10", "1e", "1e+", "1e--5", "e5", "1.2.3", "1 ", "Inf", "NaN", "１", "12345678901234567",
		"1e16", "1e-16", "0.1234567890123456", "1e999999999999999999999", "1e-999999999999999999999", "1_000"} {
		if got, ok := filter.ParseDecimal(in); ok {
			t.Errorf("%q is %s", in, got)
		}
	}
}

func TestMinusNothingIsNothing(t *testing.T) {
	if filter.Decimal("-0").Compare("0") != 0 || filter.Decimal("0").Compare("-0.0") != 0 || filter.Decimal("-0").Compare("-1") <= 0 {
		t.Error("-0 is not 0")
	}
}

func TestDecimalsAreExact(t *testing.T) {
	digits := rapid.StringMatching(`-?[0-9]{1,8}(\.[0-9]{1,8})?`)
	rapid.Check(t, func(t *rapid.T) {
		inA, inB := digits.Draw(t, "a"), digits.Draw(t, "b")
		if rapid.Bool().Draw(t, "near") { // the same but for the last digit
			inB = inA[:len(inA)-1] + rapid.StringMatching(`[0-9]`).Draw(t, "digit")
		}
		a, okA := filter.ParseDecimal(inA)
		b, okB := filter.ParseDecimal(inB)
		ratA, _ := new(big.Rat).SetString(inA)
		ratB, _ := new(big.Rat).SetString(inB)
		if !okA || !okB {
			t.Fatalf("%s or %s was refused", inA, inB)
		}
		if got, _ := new(big.Rat).SetString(string(a)); got.Cmp(ratA) != 0 {
			t.Fatalf("%s became %s", inA, a)
		}
		if strings.HasSuffix(string(a), ".") || strings.Contains(string(a), ".") && strings.HasSuffix(string(a), "0") {
			t.Fatalf("%s is not the shortest form of %s", a, inA)
		}
		if got, want := a.Compare(b), ratA.Cmp(ratB); got != want {
			t.Fatalf("%s compared with %s is %d, want %d", a, b, got, want)
		}
	})
}
