package main

import "testing"

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
