// Renders the templates of a Helm chart for tests on machines without Helm. It is not Helm: it takes the same template
// engine with the same functions (Sprig, include, tpl, required, toYaml, .Files.Get), but no dependencies of charts, no
// checks of values and nothing of a cluster.
//
//	render CHART <input.json
//
// The input has Values, Release, Chart and Capabilities as templates see them. The output are the rendered files, each
// behind a line "---" with its name; JSON stands where toYaml is, as it is YAML too.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
)

// files of the chart as templates see them, by their paths in it.
type files map[string]string

// Get returns the contents of a file, or nothing where it is not.
func (f files) Get(name string) string { return f[name] }

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(chart string) error {
	var data map[string]interface{}
	decoder := json.NewDecoder(os.Stdin)
	if err := decoder.Decode(&data); err != nil {
		return err
	}
	templates, others, err := read(chart)
	if err != nil {
		return err
	}
	data["Files"] = others

	root := template.New("chart").Option("missingkey=zero")
	root.Funcs(functions(root))
	names := make([]string, 0, len(templates))
	for name, text := range templates {
		if _, err := root.New(name).Parse(text); err != nil {
			return err
		}
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if strings.HasPrefix(filepath.Base(name), "_") {
			continue
		}
		data["Template"] = map[string]interface{}{"Name": name, "BasePath": "templates"}
		text, err := execute(root, name, data)
		if err != nil {
			return err
		}
		fmt.Printf("---\n# Source: %s\n%s\n", name, text)
	}
	return nil
}

// read returns the templates of a chart, and all its other files.
func read(chart string) (map[string]string, files, error) {
	templates, others := map[string]string{}, files{}
	err := filepath.Walk(chart, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(chart, path)
		if strings.HasPrefix(name, "templates/") {
			templates[name] = string(text)
		} else {
			others[name] = string(text)
		}
		return err
	})
	return templates, others, err
}

// functions are Sprig's without those that look at the machine, and Helm's own.
func functions(root *template.Template) template.FuncMap {
	all := sprig.TxtFuncMap()
	delete(all, "env")
	delete(all, "expandenv")
	all["include"] = func(name string, data interface{}) (string, error) { return execute(root, name, data) }
	all["tpl"] = func(text string, data interface{}) (string, error) {
		clone, err := root.Clone()
		if err != nil {
			return "", err
		}
		if _, err := clone.New("tpl").Parse(text); err != nil {
			return "", err
		}
		return execute(clone, "tpl", data)
	}
	all["required"] = func(message string, value interface{}) (interface{}, error) {
		if value == nil || value == "" {
			return nil, errors.New(message)
		}
		return value, nil
	}
	all["toYaml"] = toYaml
	return all
}

// toYaml puts each entry on a line of its own, as templates may stand beside it; within an entry JSON is YAML too.
func toYaml(value interface{}) (string, error) {
	var lines []string
	add := func(head string, entry interface{}) error {
		text, err := json.Marshal(entry)
		lines = append(lines, head+string(text))
		return err
	}
	var err error
	switch given := value.(type) {
	case map[string]interface{}:
		for name, entry := range given {
			err = first(err, add(fmt.Sprintf("%q: ", name), entry))
		}
		sort.Strings(lines)
	case []interface{}:
		for _, entry := range given {
			err = first(err, add("- ", entry))
		}
	default:
		err = add("", given)
	}
	return strings.Join(lines, "\n"), err
}

func execute(templates *template.Template, name string, data interface{}) (string, error) {
	var out bytes.Buffer
	err := templates.ExecuteTemplate(&out, name, data)
	// as Helm: a value that is not there is empty
	return strings.ReplaceAll(out.String(), "<no value>", ""), err
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
