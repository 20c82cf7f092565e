# manual.awk: turns one of libxenctrl's headers into a manual page (section 3).
#
# A header opens with a comment, "NAME.h: what it is" and more; then each comment belongs to the declaration
# behind it. Declarations become bold text as they stand, comments become paragraphs; indented lines and tables of
# parameters keep their shape. What a preprocessor directive or a brace of C++ needs is left out.
#
# Usage: awk -v name=xc_domain -f libxenctrl/manual.awk libxenctrl/include/xc_domain.h

function escape(s) {
    gsub(/\\/, "\\e", s)
    gsub(/-/, "\\-", s)
    sub(/^[.']/, "\\\\\\&&", s)
    return s
}

function flush_text(   i, n, lines, shaped) {
    n = split(text, lines, "\n")
    shaped = 0
    for (i = 1; i <= n; i++) {
        if (lines[i] ~ /^(  |@|- )/ && !shaped) {
            print ".nf"
            shaped = 1
        } else if (lines[i] !~ /^(  |@|- )/ && shaped) {
            print ".fi"
            shaped = 0
        }
        print lines[i] == "" ? ".PP" : escape(lines[i])
    }
    if (shaped) {
        print ".fi"
    }
    text = ""
}

function flush_code(   i, n, lines) {
    n = split(code, lines, "\n")
    print ".PP\n.nf"
    for (i = 1; i <= n; i++) {
        if (lines[i] != "") {
            print "\\fB" escape(lines[i]) "\\fR"
        }
    }
    print ".fi\n.PP"
    code = ""
}

BEGIN {
    first = 1
}

/^#endif|^#ifndef|^#define HOSPES_|^#ifdef|^extern "C"|^}$|^#include/ {
    next
}

/^\/\*/ || in_comment {
    if (!in_comment && code != "") {
        flush_code()
        if (text != "") {
            flush_text()
        }
    }
    in_comment = $0 !~ /\*\//
    line = $0
    sub(/^\/\*[ ]?/, "", line)
    sub(/[ ]?\*\/$/, "", line)
    sub(/^ \*[ ]?/, "", line)
    if (line != "" || text != "") {
        text = text (text == "" ? "" : "\n") line
    }
    if (!in_comment && first) {
        first = 0
        split(text, parts, "\n")
        what = parts[1]
        sub(/^[^:]*: /, "", what)
        sub(/\.$/, "", what)
        print ".TH " toupper(name) " 3 \"\" Hospes \"libxenctrl\"\n.SH NAME\n" name " \\- " escape(what)
        print ".SH SYNOPSIS\n.nf\n\\fB#include \"libxenctrl/include/xenctrl.h\"\\fR\n.fi\n.SH DESCRIPTION"
        flush_text()
        print ".SH DECLARATIONS"
    }
    next
}

{
    if ($0 == "" && code != "") {
        flush_code()
        if (text != "") {
            flush_text()
        }
        next
    }
    if ($0 != "") {
        sub(/^XC_MUST_CHECK /, "")
        code = code (code == "" ? "" : "\n") $0
    }
}

END {
    if (code != "") {
        flush_code()
    }
    if (text != "") {
        flush_text()
    }
    print ".SH SEE ALSO\nxenctrl(3)"
}
