// Command parse reads alert rules and dashboards as Prometheus and Grafana would, and prints their expressions with the series they ask for, as JSON.
//
// It is a module of its own, so that Prometheus' parser and what that needs stay out of the product's dependencies. The tests in cmd/customercenter run it.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/template"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"gopkg.in/yaml.v3"
)

// Expression is one of an alert or of a panel.
type Expression struct {
	Where     string     `json:"where"`
	Alert     string     `json:"alert,omitempty"`
	Runbook   string     `json:"runbook,omitempty"`
	Text      string     `json:"text"`
	Selectors []Selector `json:"selectors"`
}

// Selector asks for series.
type Selector struct {
	Name     string    `json:"name"`
	Matchers []Matcher `json:"matchers"`
}

// Matcher is a condition on a label: =, !=, =~ or !~.
type Matcher struct {
	Label string `json:"label"`
	Type  string `json:"type"`
	Value string `json:"value"`
}

func main() {
	var all []Expression
	var errs []error
	for _, path := range os.Args[1:] {
		found, err := read(path)
		all, errs = append(all, found...), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(all); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func read(path string) ([]Expression, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(path, ".json") {
		return dashboard(path, text)
	}
	var rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr         string
				For                 model.Duration
				Labels, Annotations map[string]string
			}
		}
	}
	in := yaml.NewDecoder(bytes.NewReader(text))
	in.KnownFields(true)
	if err := in.Decode(&rules); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var all []Expression
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			where := path + ": " + r.Alert
			e, err := expression(where, r.Expr)
			if err != nil {
				return nil, err
			}
			for _, text := range r.Annotations {
				if _, err := template.New("").Funcs(functions).Parse("{{$labels := .}}{{$value := .}}" + text); err != nil {
					return nil, fmt.Errorf("%s: %w", where, err)
				}
			}
			if r.Alert == "" || r.Labels["severity"] == "" || r.Annotations["summary"] == "" {
				return nil, fmt.Errorf("%s: it lacks a name, a severity or a summary", where)
			}
			e.Alert, e.Runbook = r.Alert, r.Annotations["runbook"]
			all = append(all, e)
		}
	}
	return all, nil
}

// functions are those of Prometheus' templates that are used here.
var functions = template.FuncMap{"humanize": number, "humanize1024": number, "humanizeDuration": number, "humanizePercentage": number}

func number(any) string { return "" }

func dashboard(path string, text []byte) (all []Expression, err error) {
	var d struct {
		Panels []struct {
			Title   string
			Type    string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, p := range d.Panels {
		where := path + ": " + p.Title
		if p.Type != "row" && len(p.Targets) == 0 {
			return nil, fmt.Errorf("%s: it shows nothing", where)
		}
		for _, t := range p.Targets {
			e, err := expression(where, strings.ReplaceAll(t.Expr, "$__rate_interval", "5m"))
			if err != nil {
				return nil, err
			}
			all = append(all, e)
		}
	}
	return all, nil
}

func expression(where, text string) (Expression, error) {
	e := Expression{Where: where, Text: text}
	parsed, err := parser.ParseExpr(text)
	if err != nil {
		return e, fmt.Errorf("%s: %w", where, err)
	}
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		v, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		s := Selector{Name: v.Name}
		for _, m := range v.LabelMatchers {
			if m.Name != model.MetricNameLabel {
				s.Matchers = append(s.Matchers, Matcher{Label: m.Name, Type: m.Type.String(), Value: m.Value})
			}
		}
		e.Selectors = append(e.Selectors, s)
		return nil
	})
	return e, nil
}
