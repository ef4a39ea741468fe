package filter

// Join is true of whom all of the filters are true; everybody without any. It may have more levels and conditions than one that is parsed.
func Join(filters ...*Filter) *Filter {
	var parts All
	for _, f := range filters {
		if f.root != nil {
			parts = append(parts, f.root)
		}
	}
	switch len(parts) {
	case 0:
		return &Filter{}
	case 1:
		return &Filter{root: parts[0]}
	}
	return &Filter{root: parts}
}
