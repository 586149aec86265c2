// Package job joins a reader, a mapping and a vendor into one run. The commands and the Airbyte destination differ only
// in where their reader and their configuration come from; everything behind that is a [Target]:
//
//	Reader ── pipeline.Run ──▶ Mapping (user's document + vendor's preset) ──▶ deliver.Writer ──▶ CRM
//	                │
//	                └─▶ rejects, state, report
package job

// Time zones stand in presets and mappings, and neither a small container image nor every Windows has a table of them.
import _ "time/tzdata"
