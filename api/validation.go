package api

import (
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"customercenter/domain"
	"customercenter/internal/locale"
)

// translation says which rule a message of the validator means. Its placeholders become the arguments of those names.
type translation struct {
	message string
	rule    string
	args    []string
	pattern *regexp.Regexp
}

// translations are the messages of the validator that requests can meet; others mean ruleInvalid.
var translations = compile([]translation{
	{message: validation.MsgUnexpectedProperty, rule: ruleUnknown},
	{message: "unknown query parameter", rule: ruleUnknown},
	{message: validation.MsgExpectedRequiredProperty, rule: domain.RuleRequired, args: []string{""}},
	{message: "required %v parameter is missing", rule: domain.RuleRequired, args: []string{""}},
	{message: validation.MsgExpectedString, rule: ruleTypeString},
	{message: validation.MsgExpectedNumber, rule: ruleTypeNumber},
	{message: validation.MsgExpectedInteger, rule: ruleTypeNumber},
	{message: "invalid integer", rule: ruleTypeNumber},
	{message: "invalid float", rule: ruleTypeNumber},
	{message: validation.MsgExpectedBoolean, rule: ruleTypeBool},
	{message: "invalid boolean", rule: ruleTypeBool},
	{message: validation.MsgExpectedArray, rule: ruleTypeArray},
	{message: validation.MsgExpectedObject, rule: ruleTypeObject},
	{message: validation.MsgExpectedOneOf, rule: domain.RuleOneOf, args: []string{""}},
	{message: validation.MsgExpectedMinLength, rule: "too_short", args: []string{"min"}},
	{message: validation.MsgExpectedMaxLength, rule: domain.RuleTooLong, args: []string{"max"}},
	{message: validation.MsgExpectedMinItems, rule: "too_few", args: []string{"min"}},
	{message: validation.MsgExpectedMaxItems, rule: domain.RuleTooMany, args: []string{"max"}},
	{message: validation.MsgExpectedMaxProperties, rule: domain.RuleTooMany, args: []string{"max"}},
	{message: validation.MsgExpectedRFC3339DateTime, rule: ruleTime},
	{message: "invalid date/time for format %v", rule: ruleTime, args: []string{""}},
	{message: validation.MsgExpectedRFC4122UUID, rule: ruleUUID, args: []string{""}},
	{message: validation.MsgExpectedMatchPattern, rule: domain.RuleFormat, args: []string{""}},
	{message: validation.MsgExpectedBePattern, rule: domain.RuleFormat, args: []string{""}},
	{message: validation.MsgExpectedMinimumNumber, rule: "at_least", args: []string{"min"}},
	{message: validation.MsgExpectedMaximumNumber, rule: "at_most", args: []string{"max"}},
})

func compile(all []translation) []translation {
	placeholder := regexp.MustCompile(`%[vsd]`)
	for i := range all {
		all[i].pattern = regexp.MustCompile("(?s)^" + placeholder.ReplaceAllString(regexp.QuoteMeta(all[i].message), "(.*)") + "$")
	}
	return all
}

// translate returns the rule that a message of the validator names, with its arguments. No argument is a value of the request.
func translate(message string) map[string]any {
	for _, t := range translations {
		found := t.pattern.FindStringSubmatch(message)
		if found == nil {
			continue
		}
		args := map[string]any{"rule": t.rule}
		for i, name := range t.args {
			if number, err := strconv.ParseFloat(found[i+1], 64); name != "" && err == nil {
				args[name] = number
			}
		}
		return args
	}
	return map[string]any{"rule": ruleInvalid}
}

// invalidRequest is the problem that a request does not fit its description.
func invalidRequest(l locale.Language, status int, errs []error) *Problem {
	switch {
	case errors.Is(errors.Join(errs...), huma.ErrUnknownContentType), status == http.StatusUnsupportedMediaType:
		p := newProblem(l, codeMediaType, "", map[string]any{"expected": "application/json"})
		return p
	case status == http.StatusRequestEntityTooLarge:
		return newProblem(l, codeTooLarge, "", map[string]any{"max": maxBody})
	case status == http.StatusRequestTimeout:
		return newProblem(l, codeTimeout, "", nil)
	case status >= 500:
		return newProblem(l, codeInternal, "", nil)
	}
	p := newProblem(l, domain.CodeValidation, "", nil)
	for _, err := range errs {
		var detail huma.ErrorDetailer
		if !errors.As(err, &detail) {
			continue
		}
		d := detail.ErrorDetail()
		if strings.HasPrefix(d.Location, "path.") {
			// An address with an id that cannot be one leads nowhere.
			return newProblem(l, domain.CodeNotFound, "", nil)
		}
		args := translate(d.Message)
		if d.Location == "body" && status == http.StatusBadRequest {
			args = map[string]any{"rule": ruleJSON}
		}
		rule, _ := args["rule"].(string)
		p.Errors = append(p.Errors, FieldError{Location: location(d.Location, d.Message), Code: domain.CodeValidation, Rule: rule,
			Detail: locale.Detail(l, domain.CodeValidation, "", args)})
	}
	if len(p.Errors) == 0 { // a body is needed
		p.Errors = []FieldError{{Location: "body", Code: domain.CodeValidation, Rule: domain.RuleRequired,
			Detail: locale.Detail(l, domain.CodeValidation, "", map[string]any{"rule": domain.RuleRequired})}}
	}
	p.Detail = p.Errors[0].Detail
	return p
}

var missing = regexp.MustCompile(`^expected required property (.*) to be present$`)

// location is where the caller finds the value: fields of the body are named without "body.", as refusals name them. A property
// that is missing is named itself, not the object it is missing from.
func location(where, message string) string {
	if found := missing.FindStringSubmatch(message); found != nil {
		where += "." + found[1]
	}
	return strings.TrimPrefix(where, "body.")
}
