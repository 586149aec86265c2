package main

import (
	"testing"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/internal/heap"
)

// BenchmarkStages is the row path of Sluice by itself, for profiles: go test -bench Stages -cpuprofile cpu.out ./bench.
func BenchmarkStages(b *testing.B) {
	lines, err := sampleLines(stageRows)
	if err != nil {
		b.Fatal(err)
	}
	s, err := newStage()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.run(lines); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/stageRows, "ns/row")
}

// TestMappingsAgree: the hand-written mapping, with which Sluice's is compared, makes the same records.
func TestMappingsAgree(t *testing.T) {
	lines, err := sampleLines(stageRows)
	if err != nil {
		t.Fatal(err)
	}
	m, err := typedMapper(lines)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.agree(); err != nil {
		t.Error(err)
	}
}

func BenchmarkMapping(b *testing.B) {
	lines, err := sampleLines(stageRows)
	if err != nil {
		b.Fatal(err)
	}
	typed, err := typedMapper(lines)
	if err != nil {
		b.Fatal(err)
	}
	raw, err := rawMapper(lines)
	if err != nil {
		b.Fatal(err)
	}
	heap.Tune()
	for _, side := range []struct {
		name string
		run  func() (arrow.Record, error)
	}{{"sluice", typed.run}, {"raw", raw.run}, {"hand", typed.hand}} {
		b.Run(side.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				out, err := side.run()
				if err != nil {
					b.Fatal(err)
				}
				out.Release()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/stageRows, "ns/record")
		})
	}
}
