package api

import "slices"

// nearest are the three names that are most like the one somebody wrote, the nearest first.
func nearest(wrote string, known []string) []string {
	if len(wrote) > 100 { // is like none
		wrote = wrote[:100]
	}
	near := slices.Clone(known)
	far := make(map[string]int, len(near))
	for _, name := range near {
		far[name] = distance(wrote, name)
	}
	slices.SortStableFunc(near, func(a, b string) int { return far[a] - far[b] })
	return near[:min(3, len(near))]
}

// distance is how many bytes have to be put in, taken out or changed to make one text of the other (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			changed := diagonal
			if a[i] != b[j] {
				changed++
			}
			diagonal = row[j+1]
			row[j+1] = min(changed, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
