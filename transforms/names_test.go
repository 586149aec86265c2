package transforms

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"
)

// goldenNames: what is known of a person, and the given and family name that come of it.
var goldenNames = []struct{ full, first, last, given, family string }{
	{full: "张三", given: "三", family: "张"},
	{full: "欧阳娜娜", given: "娜娜", family: "欧阳"},
	{full: "司马懿", given: "懿", family: "司马"},
	{full: "諸葛亮", given: "亮", family: "諸葛"},
	{full: "上官婉儿", given: "婉儿", family: "上官"},
	{full: "欧阳", given: "阳", family: "欧"},
	{full: "张 三", given: "三", family: "张"},
	{full: "张　小明", given: "小明", family: "张"},
	{full: "张", given: "张", family: "-"},
	{full: "迈克尔·杰克逊", given: "迈克尔", family: "杰克逊"},
	{full: "Ann Lee", given: "Ann", family: "Lee"},
	{full: "Anna Maria van Dyck", given: "Anna Maria", family: "van Dyck"},
	{full: "Jürgen von der Heide", given: "Jürgen", family: "von der Heide"},
	{full: "Guadalupe De la Cruz", given: "Guadalupe", family: "De la Cruz"},
	{full: "Billy Bob  Van  Buren", given: "Billy Bob", family: "Van  Buren"},
	{full: "Van Morrison", given: "Van", family: "Morrison"},
	{full: "La Toya Jackson", given: "La Toya", family: "Jackson"},
	{full: "John Smith Jr.", given: "John", family: "Smith Jr."},
	{full: "Ludwig van Beethoven III", given: "Ludwig", family: "van Beethoven III"},
	{full: "Smith Jr.", given: "Smith", family: "Jr."},
	{full: "Dr. Anna Lee", given: "Dr. Anna", family: "Lee"},
	{full: "Mr. Smith", given: "Mr.", family: "Smith"},
	{full: "王先生", given: "先生", family: "王"},
	{full: "John Q. Public", given: "John Q.", family: "Public"},
	{full: "Beethoven, Ludwig van", given: "Ludwig van", family: "Beethoven"},
	{full: "  Jean-Luc   Picard ", given: "Jean-Luc", family: "Picard"},
	{full: "Smith, John", given: "John", family: "Smith"},
	{full: "Cher", given: "Cher", family: "-"},
	{full: "김철수", given: "철수", family: "김"},
	{full: "남궁민수", given: "민수", family: "남궁"},
	{full: "김 철수", given: "철수", family: "김"},
	{full: "山田太郎", given: "太郎", family: "山田"},
	{full: "山田 太郎", given: "太郎", family: "山田"},
	{full: "田中さくら", given: "さくら", family: "田中"},
	{full: "長谷川博己", given: "博己", family: "長谷川"},
	{full: "田中华", given: "中华", family: "田"},
	{full: "さくら", given: "さくら", family: "-"},
	{full: "محمد علي", given: "محمد", family: "علي"},
	{full: "فاطمة", given: "فاطمة", family: "-"},
	{full: "Иван Петров", given: "Иван", family: "Петров"},
	{full: "Nguyễn Văn An", given: "Văn An", family: "Nguyễn"},
	{full: "NGUYEN THI HOA", given: "THI HOA", family: "NGUYEN"},
	{full: "Văn An Nguyễn", given: "Văn An", family: "Nguyễn"},
	{full: "Lê Nguyễn", given: "Lê", family: "Nguyễn"},
	{full: "Nguyễn", given: "Nguyễn", family: "-"},
	{full: "José García Márquez", given: "José", family: "García Márquez"},
	{full: "Gabriel José de la Concordia García Márquez", given: "Gabriel José de la Concordia", family: "García Márquez"},
	{full: "María del Carmen López", given: "María del Carmen", family: "López"},
	{full: "Ana de la Cruz Torres", given: "Ana", family: "de la Cruz Torres"},
	{full: "García Márquez", given: "García", family: "Márquez"},
	{full: "JUAN PEREZ LOPEZ Jr.", given: "JUAN", family: "PEREZ LOPEZ Jr."},
	{full: "Ann Lee, Jr.", given: "Ann", family: "Lee Jr."},
	{full: "Ann Lee, PhD, MD", given: "Ann", family: "Lee PhD MD"},
	{full: "Lee, Jr., Ann", given: "Ann", family: "Lee Jr."},
	{full: "Rahim, Md", given: "Md", family: "Rahim"},
	{full: "张三 (Tom)", given: "三 (Tom)", family: "张"},
	{full: "李小龙 Bruce", given: "小龙 Bruce", family: "李"},
	{full: "Tom 张", given: "Tom", family: "张"},
	{full: "さくら Lee", given: "さくら", family: "Lee"},
	{full: "张 Tom", given: "张", family: "Tom"},
	{full: "José 😀 Núñez", given: "José 😀", family: "Núñez"},
	{full: "Ann Lee", first: "Annie", given: "Annie", family: "Lee"},
	{full: "Mary Jane Smith", last: "Jane Smith", given: "Mary", family: "Jane Smith"},
	{full: "张三", last: "张", given: "三", family: "张"},
	{full: "", first: "Ann", last: "Lee", given: "Ann", family: "Lee"},
	{full: "", first: "Ann", given: "Ann", family: "-"},
	{full: "", last: "Lee", given: "-", family: "Lee"},
	{full: "Ann Lee", first: "X", last: "Y", given: "X", family: "Y"},
	{full: " ", given: "", family: ""},
}

const nameDoc = `streams: {contacts: {fields: {g: {name: {part: given, missing: "-"}}, f: {name: {part: family, missing: "-"}}, all: {name: {part: full}}}}}`

func TestGoldenNames(t *testing.T) {
	for _, c := range goldenNames {
		in := map[string]string{}
		for k, v := range map[string]string{"full_name": c.full, "first_name": c.first, "last_name": c.last} {
			if v != "" {
				in[k] = v
			}
		}
		out := apply(t, nameDoc, "", string(mustJSON(t, in)))
		var got struct{ G, F string }
		if err := json.Unmarshal([]byte(out.rows[0]), &got); err != nil {
			t.Fatal(err)
		}
		if got.G != c.given || got.F != c.family {
			t.Errorf("full %q first %q last %q: given %q family %q, want %q and %q", c.full, c.first, c.last, got.G, got.F, c.given, c.family)
		}
	}
}

func TestFullName(t *testing.T) {
	for in, want := range map[string]string{
		`{"full_name":" Ann Lee "}`:                                `Ann Lee`,
		`{"first_name":"三","last_name":"张"}`:                       `张三`,
		`{"first_name":"철수","last_name":"김"}`:                      `김철수`,
		`{"first_name":"Ann","last_name":"Lee"}`:                   `Ann Lee`,
		`{"first_name":"Ann","last_name":"张"}`:                     `Ann 张`,
		`{"last_name":"Lee"}`:                                      `Lee`,
		`{"full_name":"","first_name":"Ann"}`:                      `Ann`,
		`{"full_name":"Dr. Who","first_name":"x","last_name":"y"}`: `Dr. Who`,
	} {
		out := apply(t, nameDoc, "", in)
		var got struct{ All string }
		if err := json.Unmarshal([]byte(out.rows[0]), &got); err != nil || got.All != want {
			t.Errorf("%s: full name %q, want %q", in, got.All, want)
		}
	}
}

// TestSplitLosesNothing: the halves hold every letter of the name, and neither has space at its ends.
func TestSplitLosesNothing(t *testing.T) {
	letters := func(s string) int {
		n := 0
		for _, c := range s {
			if !strings.ContainsRune(" \u3000,，·・•", c) {
				n++
			}
		}
		return n
	}
	rapid.Check(t, func(t *rapid.T) {
		full := trimName(rapid.StringOf(rapid.RuneFrom([]rune("张欧阳山田太郎さくラ김AnnLeé \u3000,·-م"))).Draw(t, "full"))
		given, family := splitName(full)
		if letters(given)+letters(family) != letters(full) {
			t.Fatalf("splitName(%q) = %q, %q", full, given, family)
		}
		for _, half := range []string{given, family} {
			if half != trimName(half) {
				t.Fatalf("splitName(%q) leaves space at an end of %q", full, half)
			}
		}
	})
}

// TestFirstEastAsian: below it stands no letter of an East Asian script.
func TestFirstEastAsian(t *testing.T) {
	for c := rune(0); c < firstEastAsian; c++ {
		if unicode.In(c, unicode.Han, unicode.Hangul) || isKana(c) {
			t.Errorf("%q is East Asian", c)
		}
	}
	if !unicode.Is(unicode.Hangul, firstEastAsian) {
		t.Errorf("%q is no Korean letter", firstEastAsian)
	}
}

// TestNamesRejoin: a name that was split is put together again, blanks between its words aside.
func TestNamesRejoin(t *testing.T) {
	words := rapid.SampledFrom([]string{"Anna", "Lee", "van", "De", "la", "Jr.", "O'Brien", "Müller", "Q."})
	rapid.Check(t, func(t *rapid.T) {
		full := strings.Join(rapid.SliceOfN(words, 2, 6).Draw(t, "words"), rapid.SampledFrom([]string{" ", "  ", "\u00a0"}).Draw(t, "blank"))
		given, family := splitName(full)
		joined := newExec(&graph{}).joinName(given, family)
		if given == "" || family == "" || strings.Join(strings.Fields(joined), " ") != strings.Join(strings.Fields(full), " ") {
			t.Fatalf("%q: given %q, family %q, joined %q", full, given, family, joined)
		}
	})
	for _, full := range []string{"张三", "欧阳娜娜", "김철수", "田中さくら"} {
		if joined := newExec(&graph{}).joinName(splitName(full)); joined != full {
			t.Errorf("%q came back as %q", full, joined)
		}
	}
}

func FuzzNames(f *testing.F) {
	for _, c := range goldenNames {
		f.Add(c.full, c.first, c.last)
	}
	f.Add("\xff \xfe", "\u200b", ",")
	x := newExec(&graph{})
	f.Fuzz(func(t *testing.T, full, given, family string) {
		full, given, family = trimName(full), trimName(given), trimName(family)
		for _, part := range []string{"given", "family", "full"} {
			n := namePart{part: part, missing: "-"}
			v := n.of(x, full, given, family)
			if nobody := full == "" && given == "" && family == ""; nobody != v.missing() || !nobody && v.s == "" {
				t.Fatalf("the %s name of %q, %q, %q is %v", part, full, given, family, v)
			}
			if part != "full" && v.s != trimName(v.s) {
				t.Fatalf("the %s name of %q, %q, %q has blanks around: %q", part, full, given, family, v.s)
			}
		}
		if g, f := splitName(full); signs(g)+signs(f) != signs(full) {
			t.Fatalf("%q was split to %q and %q", full, g, f)
		}
		x.arena = x.arena[:0]
	})
}

// signs counts what of a name may not get lost: all but blanks, invisible signs and what stands between its parts.
func signs(s string) (n int) {
	for _, c := range s {
		if !unicode.IsSpace(c) && !unicode.Is(unicode.Cf, c) && !strings.ContainsRune(",，·・•", c) {
			n++
		}
	}
	return n
}
