// Command compose-check holds the deployment's files against the programs that read them: docker-compose.yml against the
// Compose specification's reference implementation, the Dockerfile against BuildKit's parser and linter.
// It starts nothing, and needs neither a container engine nor an image registry.
//
//	compose-check project [-env-file file] docker-compose.yml   prints the normalised project as JSON
//	compose-check dockerfile Dockerfile                         prints the linter's findings as JSON
//
// Exit codes: 0 valid; 1 not valid, with the reason on standard error; 2 wrong usage.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/subrequests/lint"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/sirupsen/logrus"
)

func main() {
	if len(os.Args) < 2 {
		usage()
	}
	var err error
	switch os.Args[1] {
	case "project":
		err = project(os.Args[2:])
	case "dockerfile":
		err = dockerfile(os.Args[2:])
	default:
		usage()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: compose-check project [-env-file file] FILE | compose-check dockerfile FILE")
	os.Exit(2)
}

// project loads the file as Compose does: profiles and interpolation from the given file alone, schema, defaults, consistency.
// What Compose only warns of, such as a variable without a value, is refused as well.
func project(args []string) error {
	flags := flag.NewFlagSet("project", flag.ExitOnError)
	envFile := flags.String("env-file", "", "the values of variables")
	_ = flags.Parse(args)
	if flags.NArg() != 1 {
		usage()
	}
	file, err := filepath.Abs(flags.Arg(0))
	if err != nil {
		return err
	}
	warnings := &collector{}
	logrus.SetOutput(os.Stderr)
	logrus.AddHook(warnings)
	with := []cli.ProjectOptionsFn{
		cli.WithWorkingDirectory(filepath.Dir(file)),
		cli.WithInterpolation(true),
		cli.WithNormalization(true),
		cli.WithConsistency(true),
		cli.WithResolvedPaths(true),
	}
	if *envFile != "" {
		with = append(with, cli.WithEnvFiles(*envFile), cli.WithDotEnv)
	}
	with = append(with, cli.WithDefaultProfiles())
	options, err := cli.NewProjectOptions([]string{file}, with...)
	if err != nil {
		return err
	}
	loaded, err := options.LoadProject(context.Background())
	if err != nil {
		return err
	}
	if len(warnings.said) > 0 {
		return errors.New(strings.Join(warnings.said, "\n"))
	}
	out, err := loaded.MarshalJSON()
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(append(out, '\n'))
	return err
}

// collector keeps what the loader warns of.
type collector struct{ said []string }

func (c *collector) Levels() []logrus.Level {
	return []logrus.Level{logrus.WarnLevel, logrus.ErrorLevel}
}

func (c *collector) Fire(entry *logrus.Entry) error {
	c.said = append(c.said, entry.Message)
	return nil
}

// dockerfile runs what `docker build --check` runs, on all stages. Any finding counts.
func dockerfile(args []string) error {
	if len(args) != 1 {
		usage()
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	results, err := dockerfile2llb.DockerfileLint(context.Background(), text, dockerfile2llb.ConvertOpt{
		MetaResolver:   anyImage{},
		TargetPlatform: &ocispecs.Platform{OS: "linux", Architecture: "amd64"},
		SourceMap:      &llb.SourceMap{Definition: &llb.Definition{}, Filename: filepath.Base(args[0]), Data: text},
	})
	if err != nil {
		return err
	}
	findings := results.Warnings
	if findings == nil {
		findings = []lint.Warning{}
	}
	if err := json.NewEncoder(os.Stdout).Encode(findings); err != nil {
		return err
	}
	if results.Error != nil {
		return errors.New(results.Error.Message)
	}
	if len(findings) > 0 {
		return fmt.Errorf("%d findings", len(findings))
	}
	return nil
}

// anyImage stands for every base image: what the images hold is not known here, and the linter looks at the file alone.
type anyImage struct{}

func (anyImage) ResolveImageConfig(_ context.Context, ref string, _ sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	config := ocispecs.Image{Platform: ocispecs.Platform{OS: "linux", Architecture: "amd64"}}
	config.Config.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	text, err := json.Marshal(config)
	return ref, "", text, err
}
