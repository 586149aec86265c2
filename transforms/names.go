package transforms

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Surnames of more than one letter. The Japanese ones count only where the name cannot be Chinese: from four letters
// on, or with kana in it.
var (
	chineseSurnames = wordSet(`欧阳 歐陽 司马 司馬 诸葛 諸葛 上官 司徒 东方 東方 独孤 獨孤 南宫 南宮 夏侯 皇甫 尉迟 尉遲 公孙 公孫
		慕容 令狐 长孙 長孫 宇文 轩辕 軒轅 东郭 東郭 端木 百里 呼延 闻人 聞人 申屠 太史 公羊 澹台 澹臺 赫连 赫連 钟离 鍾離 鲜于 鮮于
		闾丘 閭丘 濮阳 濮陽 淳于 单于 單于 完颜 完顏 拓跋 西门 西門 第五 左丘 梁丘 谷梁 穀梁 公冶 宗政 耶律 纳兰 納蘭 仲孙 仲孫 令孤 司空 司寇
		남궁 황보 제갈 선우 독고 사공 서문 동방`)
	japaneseSurnames = wordSet(`佐藤 鈴木 高橋 田中 渡辺 渡邊 伊藤 山本 中村 小林 加藤 吉田 山田 佐々木 山口 松本 井上 木村 斎藤 清水 山崎 池田 橋本 阿部 石川
		前田 藤田 小川 岡田 後藤 長谷川 村上 近藤 石井 坂本 遠藤 青木 藤井 西村 福田 太田 三浦 岡本 松田 中川 中野 原田 小野 田村 竹内 金子 和田 中山 石田
		上田 森田 柴田 酒井 工藤 横山 宮崎 宮本 内田 高木 安藤 谷口 大野 丸山 今井 高田 藤本 武田 村田 上野 杉山 増田 平野 大塚 千葉 久保 松井 小島 岩崎 桜井
		野口 松尾 野村 木下 菊地 佐野 大西 杉本 新井 浜田 市川 古川 宮沢 宮崎 黒澤 大谷 羽生 坂口 村山`)
)

func wordSet(words string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(words) {
		set[w] = true
	}
	return set
}

// trimName takes off spaces, invisible signs and stray punctuation at the ends.
func trimName(s string) string {
	if n := len(s); n > 0 && isLetter(s[0]) && isLetter(s[n-1]) {
		return s
	}
	return strings.TrimFunc(s, func(c rune) bool {
		return unicode.IsSpace(c) || unicode.Is(unicode.Cf, c) || c == ',' || c == '，' || c == '\uFEFF'
	})
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// completeName finds the missing half or halves in the full name. A half that is given and stands at one end of the
// full name leaves the rest for the other.
func completeName(full, given, family string) (string, string) {
	if family != "" {
		if rest, ok := without(full, family); ok {
			return rest, family
		}
	}
	if given != "" {
		if rest, ok := without(full, given); ok {
			return given, rest
		}
	}
	g, f := splitName(full)
	if given == "" {
		given = g
	}
	if family == "" {
		family = f
	}
	return given, family
}

// without cuts a half off the full name, at the end of a word or, in scripts without spaces, anywhere.
func without(full, half string) (string, bool) {
	glued := isEastAsian(full)
	if rest, ok := strings.CutPrefix(full, half); ok && rest != "" {
		if trimmed := trimName(rest); glued || trimmed != rest {
			return trimmed, trimmed != ""
		}
	}
	if rest, ok := strings.CutSuffix(full, half); ok && rest != "" {
		if trimmed := trimName(rest); glued || trimmed != rest {
			return trimmed, trimmed != ""
		}
	}
	return "", false
}

// splitName splits a full name; the family name is empty where the name is one word.
func splitName(full string) (given, family string) {
	if strings.ContainsAny(full, ",，") {
		return splitAtComma(full)
	}
	if at := strings.LastIndexAny(full, "·・•"); at > 0 {
		_, width := utf8.DecodeRuneInString(full[at:])
		return trimName(full[:at]), trimName(full[at+width:])
	}
	if given, family, ok := familyAhead(full); ok {
		return given, family
	}
	if at := familyBegins(full); at > 0 {
		_, width := utf8.DecodeRuneInString(full[at:])
		head, tail := trimName(full[:at]), trimName(full[at+width:])
		if isEastAsian(full) {
			return tail, head
		}
		return head, tail
	}
	if !isEastAsian(full) {
		return full, ""
	}
	return splitGlued(full)
}

// splitAtComma splits "family, given". Commas beside each other count as one; where more are left, what stands behind the
// first of them is the given name, with a space for each of the others. A degree behind a comma belongs to what is before
// it: "Ann Lee, PhD" has no family name Ann Lee.
func splitAtComma(full string) (given, family string) {
	parts := strings.FieldsFunc(full, func(c rune) bool { return c == ',' || c == '，' })
	kept := parts[:0]
	for _, part := range parts {
		if part = trimName(part); part != "" {
			kept = append(kept, part)
		}
	}
	for len(kept) > 1 && listed(nameSuffixes, kept[1]) && (len(kept) > 2 || lastWord(kept[0]) > 0) {
		kept[1] = kept[0] + " " + kept[1]
		kept = kept[1:]
	}
	switch len(kept) {
	case 0:
		return "", ""
	case 1:
		return splitName(kept[0])
	}
	return strings.Join(kept[1:], " "), kept[0]
}

// Small words that begin a family name and degrees that end it; case does not count. They have all been seen in lists of
// contacts: van Dyck, De la Cruz, bin Saud, Smith Jr., Lee PhD.
var (
	nameParticles = wordSet(`van von vom zu zum zur der den de del della di da do dos das du la le ter ten af av bin ibn bint al el st st. san santa`)
	nameSuffixes  = wordSet(`jr jr. sr sr. ii iii iv phd ph.d. md m.d. esq esq.`)
)

// Surnames by which one knows that a name begins with the family's, as it does in Vietnam, and that it ends in two of
// them, as it does in Spanish. None is a given name elsewhere.
var (
	vietnameseSurnames = casedSet(`nguyễn nguyen trần lê phạm hoàng huỳnh vũ võ đặng bùi đỗ hồ ngô dương đoàn lương đinh trịnh đào tạ mạc lý tô trương phùng`)
	spanishSurnames    = casedSet(`garcía garcia rodríguez rodriguez gonzález gonzalez gonzales fernández fernandez lópez lopez martínez martinez sánchez sanchez pérez perez gómez gomez
		jiménez jimenez hernández hernandez díaz diaz moreno muñoz álvarez alvarez romero gutiérrez gutierrez torres domínguez dominguez vázquez vazquez ramírez ramirez ramos serrano
		molina suárez suarez ortega delgado castro ortiz núñez medina castillo guerrero cruz méndez mendez herrera márquez marquez aguilar vargas mendoza reyes morales guzmán guzman
		salazar rojas flores ríos rios contreras velázquez velazquez chávez chavez espinoza fuentes cabrera navarro iglesias`)
)

// casedSet holds words as a name writes them: with a capital, in capitals, and in small letters.
func casedSet(words string) map[string]bool {
	set := wordSet(words)
	for w := range wordSet(words) {
		_, width := utf8.DecodeRuneInString(w)
		set[strings.ToUpper(w)], set[strings.ToUpper(w[:width])+w[width:]] = true, true
	}
	return set
}

// familyAhead splits names in which the family name comes first though there are blanks: Vietnamese ones, and East Asian
// ones with something in other letters behind them, as in 张三 (Tom).
func familyAhead(full string) (given, family string, ok bool) {
	first := firstWord(full)
	rest := trimName(full[len(first):])
	switch {
	case rest == "":
	case vietnameseSurnames[first]:
		last := max(lastWord(rest), 0)
		return rest, first, !vietnameseSurnames[trimName(rest[last:])]
	case isEastAsian(first) && !isEastAsian(full):
		if _, family = splitGlued(first); family != "" {
			return full[len(family):], family, true
		}
	}
	return "", "", false
}

// firstWord is what stands before the first blank of a text, blanks ahead of it aside.
func firstWord(s string) string {
	s = strings.TrimLeftFunc(s, unicode.IsSpace)
	if at := strings.IndexFunc(s, unicode.IsSpace); at >= 0 {
		return s[:at]
	}
	return s
}

// familyBegins finds the blank before the family name of a name with blanks: before its last word, and before the
// particles ahead of that; a degree behind the last word goes with it, and so does a second Spanish surname. The first
// word is never part of it.
func familyBegins(full string) int {
	at := strings.LastIndexFunc(full, unicode.IsSpace)
	if at < 0 || isEastAsian(full) {
		return at
	}
	for word := full[at:]; listed(nameSuffixes, trimName(word)); {
		before := lastWord(full[:at])
		if before <= 0 {
			break
		}
		word, at = full[before:at], before
	}
	if before := lastWord(full[:at]); before > 0 && spanishSurnames[trimName(full[before:at])] && spanishSurnames[firstWord(full[at:])] {
		at = before // both parents' names
	}
	for {
		before := lastWord(full[:at])
		if before <= 0 || !listed(nameParticles, trimName(full[before:at])) {
			return at
		}
		at = before
	}
}

// lastWord finds the blank before the last word of a text, blanks behind it or not; -1: there is one word.
func lastWord(s string) int {
	return strings.LastIndexFunc(strings.TrimRightFunc(s, unicode.IsSpace), unicode.IsSpace)
}

// listed reports whether a set of small words holds the word, in whatever case.
func listed(set map[string]bool, word string) bool {
	var small [8]byte
	if len(word) > len(small) {
		return false
	}
	for i := range len(word) {
		if small[i] = word[i]; word[i]-'A' < 26 {
			small[i] += 'a' - 'A'
		}
	}
	return set[string(small[:len(word)])]
}

// splitGlued splits a name in letters that need no space.
func splitGlued(full string) (given, family string) {
	n := runes(full)
	kana := strings.ContainsFunc(full, isKana)
	if n >= 3 {
		for _, width := range [...]int{3, 2} {
			surname := firstRunes(full, width)
			if n > width && (chineseSurnames[surname] || (n >= 4 || kana) && japaneseSurnames[surname]) {
				return full[len(surname):], surname
			}
		}
	}
	first, width := utf8.DecodeRuneInString(full)
	if n < 2 || isKana(first) {
		return full, ""
	}
	return full[width:], full[:width]
}

// firstEastAsian is the first letter of those scripts, a Korean one: others need no look at the tables.
const firstEastAsian = '\u1100'

// isEastAsian reports whether every letter is Chinese, Japanese or Korean, and there is one.
func isEastAsian(s string) bool {
	found := false
	for _, c := range s {
		switch {
		case c < firstEastAsian:
			if unicode.IsLetter(c) {
				return false
			}
		case unicode.In(c, unicode.Han, unicode.Hangul) || isKana(c) || c == '々' || c == '〇':
			found = true
		case unicode.IsLetter(c):
			return false
		}
	}
	return found
}

func isKana(c rune) bool { return unicode.In(c, unicode.Hiragana, unicode.Katakana) || c == 'ー' }
