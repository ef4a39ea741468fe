package traffic

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// people returns the first people of a seed.
func people(count uint64) []person {
	associations := Defaults().Associations
	table := associationTable(associations)
	made := make([]person, count)
	for n := range count {
		made[n] = newPerson(42, n, associations, table)
	}
	return made
}

func TestNamesAreDistributedAsInChina(t *testing.T) {
	r := newRandom(1, 2)
	lengths, wang, zhao := map[int]int{}, 0, 0
	const total = 100_000
	for range total {
		family := surnameTable[r.index(len(surnameTable))]
		name := chineseName(r, &family)
		lengths[utf8.RuneCountInString(name)]++
		if strings.HasPrefix(name, "王") {
			wang++
		}
		if strings.HasPrefix(name, "赵") {
			zhao++
		}
	}
	within := func(what string, count int, low, high float64) {
		t.Helper()
		if share := float64(count) / total; share < low || share > high {
			t.Errorf("%s: a share of %.4f, want between %g and %g", what, share, low, high)
		}
	}
	within("three characters", lengths[3], 0.82, 0.86)
	within("two characters", lengths[2], 0.13, 0.16)
	within("four characters", lengths[4], 0.005, 0.03)
	within("family name 王", wang, 0.067, 0.075)
	within("family name 赵", zhao, 0.018, 0.023)
	if len(lengths) != 3 {
		t.Errorf("lengths of names: %v", lengths)
	}
}

func TestSurnamesAreManyAndFillTheirTable(t *testing.T) {
	if len(surnameTable) != 10_000 {
		t.Errorf("%d slots, want 10,000", len(surnameTable))
	}
	different := map[string]bool{}
	for _, s := range surnameTable {
		different[s.hanzi] = true
		if utf8.RuneCountInString(s.hanzi) != 1 || strings.Trim(s.pinyin, "abcdefghijklmnopqrstuvwxyz") != "" {
			t.Fatalf("surname %q %q", s.hanzi, s.pinyin)
		}
	}
	if len(different) < 150 {
		t.Errorf("%d different surnames, want at least 150", len(different))
	}
}

func TestPeopleDiffer(t *testing.T) {
	ids, nicknames, latin, nameless, emoji := map[string]bool{}, map[string]bool{}, 0, 0, 0
	const total = 200_000
	for _, p := range people(total) {
		ids[p.externalID] = true
		nicknames[p.nickname] = true
		if p.latin {
			latin++
		}
		if p.nickname == "" {
			nameless++
		}
		if strings.ContainsAny(p.nickname, "🌸🐱😊🍀✨🌙🐷🔥🌻🍓") {
			emoji++
		}
		if n := utf8.RuneCountInString(p.nickname); n > 256 || !utf8.ValidString(p.nickname) {
			t.Fatalf("a nickname of %d characters", n)
		}
		for _, value := range []string{p.profile.name, p.profile.phone, p.profile.company, p.profile.qq, p.profile.wechatID} {
			if utf8.RuneCountInString(value) > 45 {
				t.Fatalf("a profile value of %d characters", utf8.RuneCountInString(value))
			}
		}
	}
	if len(ids) != total {
		t.Errorf("%d external ids for %d people", len(ids), total)
	}
	if len(nicknames) < total/20 {
		t.Errorf("only %d different nicknames", len(nicknames))
	}
	for what, count := range map[string]int{"Latin names": latin, "no nickname": nameless, "emoji": emoji} {
		if count < total/50 || count > total/5 {
			t.Errorf("%s: %d of %d people", what, count, total)
		}
	}
}

func TestPeopleDoNotDependOnThePool(t *testing.T) {
	few, many := people(10), people(1000)
	for n := range few {
		if few[n] != many[n] {
			t.Errorf("person %d is somebody else in a larger pool", n)
		}
	}
}

func TestOctavesCoverThePoolAndPreferItsFront(t *testing.T) {
	r := newRandom(1, 1)
	for _, n := range []uint64{1, 2, 3, 63, 64, 65, 127, 1000, 4096, 10_001} {
		const draws = 200_000
		seen, front := make([]bool, n), 0
		for range draws {
			i := r.octave(n)
			seen[i] = true // panics if it is outside
			if i < (n+63)/64 {
				front++
			}
		}
		for i, was := range seen {
			if !was && n <= 4096 {
				t.Errorf("%d of %d was never drawn", i, n)
			}
		}
		if n >= 64 && (front < draws/8 || front > draws/4) {
			t.Errorf("the first 1/64 of %d was drawn %d times of %d", n, front, draws)
		}
	}
}

func TestQueueKeepsOrder(t *testing.T) {
	r := newRandom(3, 3)
	var q queue
	var now, last due
	for range 20_000 {
		for range r.below(4) {
			q.push(due{at: now.at + r.between(0, 50)})
		}
		if len(q.items) == 0 {
			continue
		}
		now = q.pop()
		if now.at < last.at || now.at == last.at && now.sequence < last.sequence {
			t.Fatalf("%d/%d came after %d/%d", now.at, now.sequence, last.at, last.sequence)
		}
		last = now
	}
}
