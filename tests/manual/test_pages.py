# SPDX-License-Identifier: BSD-2-Clause
"""The manual says what the programs' --help, the headers and the reader of topologies say, and man finds no fault in it."""

import os
import pathlib
import re
import subprocess
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
TOOL, VM = os.environ["CROSSVM_TOOL"], os.environ["CROSSVM_VM"]
PAGES = {path.name: path.read_text() for path in (TOP / "docs/man").glob("*.[1-8]")}
HEADERS = ("crossvm", "deadline", "version", "end_channel", "channel")


def words(text):
    return " ".join(text.split())


def section(page, title):
    """The lines of a section, without its title."""
    found = re.search(rf"^\.Sh {title}\n(.*?)(?=^\.Sh |\Z)", PAGES[page], re.M | re.S)
    return found.group(1) if found else ""


def plain(mdoc):
    """The text of lines without their macros, for a comparison of words."""
    text = re.sub(r"^\.(It|Fl|Ar|Ev|Pa|Xr|Ql|Nm|Dv|Er|Fa|Fn|Op|Sy|Cm)\b", "", mdoc, flags=re.M)
    text = re.sub(r" (Ns|Ar|Fl) ", " ", text.replace("\\&", "").replace("\\e", "\\"))
    return re.sub(r"\s+([.,:;)])", r"\1", re.sub(r'["`$]', "", words(text)))


def help_of(*command):
    environment = {**os.environ, "ARGP_HELP_FMT": "rmargin=10000"}  # a paragraph, an option: a line each
    done = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True, env=environment)
    return done.stdout


class Help:
    """What a --help says."""

    def __init__(self, *command):
        self.text = help_of(*command)
        self.arguments = re.match(r"Usage: .*?\[OPTION\.\.\.\] ?(.*)\n", self.text).group(1)
        self.options = {}
        for short, long, value, optional, text in re.findall(
            r"^  (?:-(.), |    )--([a-z0-9-]+)(?:=(\S+)|(\[=\w+\]))?\s+(.*)$", self.text, re.M
        ):
            self.options[long] = (short, value or optional, text)

    def statuses(self):
        """Numbers in the sentence about exit statuses; without one, what all commands have."""
        found = re.search(r"Exit status: (.*?)\.(?: |$)", self.text, re.M)
        return {int(n) for n in re.findall(r"(?<![\w.])(\d+)(?![\w.])", found.group(1))} if found else {0, 2}


def options_of(page):
    """Those of a page: long name -> short name, value, text."""
    options = {}
    items = re.findall(r"^\.It (?:Fl (\S) , )?Fl Fl (\S+)(?: Ns (Op )?= Ns Ar (\S+))?\n(.*?)(?=^\.It|^\.El)", PAGES[page], re.M | re.S)
    for short, long, optional, value, text in items:
        options[long] = (short, f"[={value}]" if optional else value, plain(text))
    return options


def commands():
    return dict(re.findall(r"^  ([a-z-]+) +(.*)$", help_of(TOOL).split("Commands:")[1], re.M))


class CommandPages(unittest.TestCase):
    def check_options(self, page, said):
        options = options_of(page)
        self.assertEqual({name: o[:2] for name, o in said.items()}, {name: o[:2] for name, o in options.items()}, page)
        for name, (_, _, text) in said.items():
            for default in re.findall(r"\(default[^)]*\)", re.sub(r'["`$]', "", text)):
                self.assertIn(default, options[name][2], f"{page} --{name}")

    def check_statuses(self, page, said):
        items = re.findall(r"^\.It (\d+)", section(page, "EXIT STATUS"), re.M)
        self.assertEqual(said, {int(number) for number in items}, page)

    def test_commands(self):
        """Each command has a page, and each page a command."""
        self.assertEqual({f"crossvm-{name}.1" for name in commands()} | {"crossvm.1", "crossvm-vm.1"},
                         {page for page in PAGES if page.endswith(".1")})
        listed = re.findall(r"^\.It Xr crossvm-(\S+) 1\n(.*)$", PAGES["crossvm.1"], re.M)
        self.assertEqual([(name, text.replace("`", "").capitalize()) for name, text in commands().items()],
                         [(name, text.rstrip(".").capitalize()) for name, text in listed])

    def test_command_pages(self):
        common = Help(TOOL).options
        for name, summary in commands().items():
            page, said = f"crossvm-{name}.1", Help(TOOL, name)
            with self.subTest(page):
                own = {option: value for option, value in said.options.items() if option not in common}
                self.check_options(page, own)
                self.check_statuses(page, said.statuses())
                self.assertIn(f"\n.Nd {summary.replace('`', '')}\n", PAGES[page])
                synopsis = words(re.sub(r"^\.(Nm|Op|Ar) ", "", section(page, "SYNOPSIS"), flags=re.M))
                arguments = re.sub(r"\[(\w+)(\.\.\.)?\]", r"Ar \1 \2", said.arguments)
                self.assertEqual(words(f"crossvm {name} Ar option ... {arguments}"), synopsis)

    def test_programs(self):
        self.check_options("crossvm.1", Help(TOOL).options)
        said = Help(VM)
        self.check_options("crossvm-vm.1", said.options)
        found = re.search(r"Exit status: (.*?)\. Limits", said.text).group(1)
        self.check_statuses("crossvm-vm.1", {int(n) for n in re.findall(r"(?<!\w)(\d+) (?:after|when|and)", found)})

    def test_options_in_text(self):
        """An option that a page mentions exists."""
        known = set(Help(VM).options) | {option for name in commands() for option in Help(TOOL, name).options}
        for page, text in PAGES.items():
            for option in re.findall(r"Fl Fl ([a-z0-9-]+)", text):
                self.assertIn(option, known, page)


def declared():
    """The public functions: name -> prototype."""
    functions = {}
    for header in HEADERS:
        text = (TOP / f"include/crossvm/{header}.h").read_text()
        text = re.sub(r"/\*.*?\*/|^#(?:[^\n]*\\\n)*[^\n]*", " ", text, flags=re.S | re.M)
        for result, name, arguments in re.findall(r"([\w ]+?[ *]+)(?<!\w)(crossvm_\w+)\(([^(){};]*)\)\s*[;{]", text):
            result = re.sub(r"\b(static inline|CROSSVM_CHANNEL_INLINE)\b", "", result)
            functions[name] = words(f"{words(result)} {name}({words(arguments)})").replace("* ", "*")
    return functions


class LibraryPages(unittest.TestCase):
    def test_prototypes(self):
        """Each public function is in one page, as the header declares it; that page explains it and is found by its name."""
        described = {}
        for page, text in PAGES.items():
            if not page.endswith(".3"):
                continue
            for result, name, arguments in re.findall(r'^\.Ft (.*)\n\.Fo (\S+)\n((?:\.Fa .*\n)*)\.Fc', text, re.M):
                self.assertNotIn(name, described)
                self.assertRegex(section(page, "NAME"), rf"(?m)^\.Nm {name}(?: ,)?$")
                self.assertRegex(text, rf"(?m)^\.It Fn {name}$")
                taken = ", ".join(a.strip('"') for a in re.findall(r"^\.Fa (.*)$", arguments, re.M))
                described[name] = f"{result.strip(chr(34))} {name}({taken})".replace("* ", "*")
        self.assertEqual(declared(), described)

    def test_errors(self):
        """What a header says of a function's errors, its page says, too."""
        for header in HEADERS:
            text = (TOP / f"include/crossvm/{header}.h").read_text()
            for comment, name in re.findall(r"/\*\*((?:(?!\*/).)*)\*/[^/;{]*?\b(crossvm_\w+)\([^;{]*[;{]", text, re.S):
                pages = [p for p, t in PAGES.items() if p.endswith(".3") and f"\n.Fo {name}\n" in t]
                if not pages:  # a structure or a type
                    continue
                entry = re.search(rf"^\.It Fn {name}\n(.*?)(?=^\.It Fn|^\.Sh)", PAGES[pages[0]], re.M | re.S).group(1)
                for error in set(re.findall(r"-E[A-Z]{3,}", comment)):
                    self.assertIn(error, entry, name)


class FormatPages(unittest.TestCase):
    def test_topology(self):
        """The keys of the page are those that the reader takes, with the defaults of the reader's words."""
        known = set()
        for source in (TOP / "src/run").glob("topology*.c"):
            for names in re.findall(r"char \*const keys\w*\[\] = \{(.*?)\}", source.read_text(), re.S):
                known |= set(re.findall(r'"(\w+)"', names))
        self.assertEqual(known, set(re.findall(r"^\.It Ql (\w+)$", section("crossvm-topology.5", "DESCRIPTION"), re.M)))

    def test_topology_example(self):
        example = re.search(r"\.Bd -literal[^\n]*\n(.*?)\.Ed", section("crossvm-topology.5", "EXAMPLES"), re.S).group(1)
        done = subprocess.run([TOOL, "run", "--check", "-"], input=example.replace("\\&", ""), capture_output=True, text=True)
        self.assertEqual([], [error for error in done.stderr.splitlines() if not re.search("cannot read ./(vmlinuz|guest.cpio):", error)])
        self.assertEqual(2, len(done.stderr.splitlines()), done)  # the kernel and initramfs of an example are not there

    def test_wire(self):
        header = (TOP / "src/wire/wire.h").read_text()
        page = PAGES["crossvm-wire.7"].replace("\\e", "\\").replace("\\&", "")
        structures = re.findall(r"^struct crossvm_wire_\w+ \{.*?^\};", header, re.M | re.S)
        self.assertGreater(len(structures), 5)
        for structure in structures:
            self.assertIn(structure, page, "docs/man/crossvm-wire.7 has another layout")
        for name, number in re.findall(r"(CROSSVM_WIRE_[A-Z]+) =\s+(\d+),", header):
            self.assertRegex(page, rf"\.It Ql {name} {number}\n")
        for name in ("MAGIC", "VERSION"):
            number = re.search(rf"#define CROSSVM_WIRE_{name} (\w+?)u?\b", header).group(1)
            self.assertRegex(page, rf"\.It Ql CROSSVM_WIRE_{name}\n{number}\n")

    def test_channel(self):
        header = (TOP / "include/crossvm/channel_layout.h").read_text()
        known = dict(re.findall(r"#define CROSSVM_CHANNEL_(\w+)_AT (0x\w+)", header))
        self.assertEqual(known.pop("RINGS"), "0x300")
        self.assertIn("begin at 0x300", words(PAGES["crossvm-channel.7"]))
        self.assertEqual(known, dict(re.findall(r"^\.It Ql (\w+) (0x\w+)$", PAGES["crossvm-channel.7"], re.M)))


class AllPages(unittest.TestCase):
    def test_lint(self):
        for page in PAGES:
            with self.subTest(page):
                path = TOP / "docs/man" / page
                found = subprocess.run(["mandoc", "-T", "lint", "-W", "style", path], capture_output=True, text=True).stdout
                # Whether the machine has the pages that a page names is not a fault of that page: see below.
                self.assertEqual([], [line for line in found.splitlines() if "referenced manual not found" not in line])
                groff = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", path], capture_output=True, text=True,
                                       env={**os.environ, "MANPAGER": "cat", "LC_ALL": "C.UTF-8"})
                self.assertEqual((0, ""), (groff.returncode, groff.stderr))

    def test_references(self):
        """A page of ours that a page names is there, under one of its names."""
        names = set()
        for page in PAGES:
            names |= {(name, page[-1]) for name in re.findall(r"^\.Nm (\S+)", section(page, "NAME"), re.M)}
        for page, text in PAGES.items():
            for name, number in re.findall(r"\bXr (\S*crossvm\S*) (\d)", text):
                self.assertIn((name, number), names, page)


if __name__ == "__main__":
    unittest.main()
