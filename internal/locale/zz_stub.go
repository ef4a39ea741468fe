package locale

func RowReason(l Language, code, column string, args map[string]any) string { return code }
func RowsSheet(l Language) string { return "x" }
