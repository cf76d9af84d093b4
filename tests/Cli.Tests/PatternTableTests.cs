using BackupDr.TestKit;

namespace BackupDr.Cli.Tests;

/// <summary>One tree for all rows.</summary>
public sealed class PatternTree : IAsyncLifetime
{
    static readonly string[] Names =
    [
        "a.txt", "a.log", "keep.log", "B.LOG", ".hidden",
        "sp ace", "star*x", "q?x", "[x]", @"back\slash", "üml.txt", "ÄB", "!bang", "#hash",
        "$dollar", "cache/a.bin", "cache/keep/b.bin", "cache/sub/deep/a.bin", "src/build", "docs/build/out", "Cache/c.bin", "x/y/z/file",
        "marked/.nobackup", "marked/inside", "marked/sub/below", "header/.tag", "header/inside", "other/.tag", "other/inside",
        "tagged/CACHEDIR.TAG", "tagged/inside", "log/a.txt", "b1", "b2", "b-", "b]", "bü",
    ];

    public PatternTree()
    {
        foreach (var name in Names) Scratch.File($"data/{name}", "x");
        Scratch.File("data/big", new string('b', 3000));
        Scratch.File("data/header/.tag", "yes, marked");
        Scratch.File("data/other/.tag", "no");
        Scratch.File("data/tagged/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n");
        Tool.Succeed("sh", "-c", $"cd '{Data}' && touch \"$(printf 'raw\\377x')\"");
        Restic = new ResticCli(Scratch.At("repository"), BackupdrProgram.Password, Scratch.At("restic-cache"));
    }

    public async ValueTask InitializeAsync() => await BackupdrProgram.MakeRepository(Scratch.At("repository"));

    public ScratchFolder Scratch { get; } = new();
    public string Data => Scratch.At("data");

    /// <summary>Stock restic on the same repository: both listings come from it.</summary>
    public ResticCli Restic { get; }

    public ValueTask DisposeAsync()
    {
        Scratch.Dispose();
        return ValueTask.CompletedTask;
    }
}

/// <summary>Stock restic and we take the same of one tree by the same options, but where a row says otherwise.</summary>
public sealed class PatternTableTests(PatternTree tree) : IClassFixture<PatternTree>
{
    // {d} is the tree; a row's options are separated by '|'. "@" begins the content of a file that takes its place, ';' its lines.
    [Theory]
    [InlineData("-e|*.log")]
    [InlineData("-e|a.*")]
    [InlineData("-e|.*")]
    [InlineData("-e|sp ace")]
    [InlineData("-e|{d}/a.txt")]
    [InlineData("-e|{d}/cache")]
    [InlineData("-e|/cache")]
    [InlineData("-e|cache")]
    [InlineData("-e|cache/*.bin")]
    [InlineData("-e|cache/*/b.bin")]
    [InlineData("-e|cache/**/a.bin")]
    [InlineData("-e|**/a.bin")]
    [InlineData("-e|{d}/**/file")]
    [InlineData("-e|x/**/z/**/file")]
    [InlineData("-e|{d}/*/build")]
    [InlineData("-e|x/./y")]
    [InlineData("-e|x//y")]
    [InlineData("-e|b?")]
    [InlineData("-e|raw?x")]
    [InlineData("-e|raw*")]
    [InlineData("-e|b[12]")]
    [InlineData("-e|b[0-9]")]
    [InlineData("-e|b[^0-9]")]
    [InlineData("-e|b[ü]")]
    [InlineData("-e|b[ä-ü]")]
    [InlineData(@"-e|b[\]]")]
    [InlineData(@"-e|star\*x")]
    [InlineData(@"-e|q\?x")]
    [InlineData(@"-e|\[x\]")]
    [InlineData(@"-e|back\\slash")]
    [InlineData("-e|*.log|-e|!keep.log")]
    [InlineData("-e|!keep.log|-e|*.log")]
    [InlineData("-e|{d}/cache/*|-e|!{d}/cache/keep")]
    [InlineData("-e|cache|-e|!cache/keep")]
    [InlineData(@"-e|\!bang")]
    [InlineData("-e|#hash")]
    [InlineData("--iexclude|*.log")]
    [InlineData("--iexclude|CACHE/*.BIN")]
    [InlineData("--iexclude|Äb")]
    [InlineData("--iexclude|MARK[A-Z]*|-e|a.log")]
    [InlineData("--exclude-file|@# a remark;;  *.log  ;{d}/x")]
    [InlineData("--iexclude-file|@*.LOG;äb")]
    [InlineData(@"--exclude-file|@\#hash")]
    [InlineData("--exclude-file|@$BACKUPDR_TEST_NAME/*.bin;$$dollar;${BACKUPDR_TEST_NAME}x")]
    [InlineData("--exclude-if-present|.nobackup")]
    [InlineData("--exclude-if-present|.tag:yes")]
    [InlineData("--exclude-if-present|.tag")]
    [InlineData("--exclude-if-present|.tag:yes, marked and longer than it is")]
    [InlineData("--exclude-caches")]
    [InlineData("--one-file-system")]
    [InlineData("--exclude-larger-than|2999")]
    [InlineData("--exclude-larger-than|3000")]
    [InlineData("--exclude-larger-than|2k")]
    public void Both_take_the_same(string row)
    {
        var arguments = Arguments(row, tree.Data);

        Assert.Equal(Theirs(arguments), Ours(arguments));
    }

    [Theory]
    [InlineData("--files-from|@{d}/a.*;# a remark;  {d}/src  ")]
    [InlineData("--files-from-verbatim|@{d}/star*x;;{d}/sp ace;{d}/#hash")]
    [InlineData("--files-from-raw|@{d}/q?x\0{d}/src\0")]
    [InlineData("--files-from|@{d}/cache;{d}/log|-e|*.txt")]
    public void Both_take_what_a_list_names(string row)
    {
        var arguments = Arguments(row);

        Assert.Equal(Theirs(arguments), Ours(arguments));
    }

    /// <summary>As in .gitignore, where restic is not.</summary>
    [Theory]
    [InlineData("-e|build/", "src/build")]                  // a slash at the end: folders only
    [InlineData("-e|cache/**", "cache,Cache/none")]         // what lies in the folder, not the folder
    [InlineData("-e|*.bin|-e|!keep", "")]                   // taking back a folder does not take back what another pattern finds in it
    [InlineData("-e|b[!0-9]", "b1,b2")]                     // ! negates in a class
    [InlineData("-e|data", "*")]                            // what is above the named path, and so typed by a person, is never left out
    public void Where_we_differ_a_row_says_so(string row, string onlyOurs)
    {
        var arguments = Arguments(row, row.EndsWith("data", StringComparison.Ordinal) ? Path.Combine(tree.Data, "x") : tree.Data);

        var (theirs, ours) = (Theirs(arguments, mayFail: true), Ours(arguments));

        Assert.NotEqual(theirs, ours);
        if (onlyOurs.Length == 0) Assert.Equal(["cache/keep/b.bin"], theirs.Except(ours));
        else if (onlyOurs != "*") Assert.Contains(onlyOurs.Split(',')[0], ours);
        else Assert.Contains("x/y/z/file", ours);
    }

    List<string> Arguments(string row, params IEnumerable<string> paths)
    {
        var number = 0;
        List<string> arguments = ["--host", "table"];
        foreach (var option in row.Replace("{d}", tree.Data, StringComparison.Ordinal).Split('|'))
            arguments.Add(option.StartsWith('@')
                ? tree.Scratch.File($"list-{number++}", option[1..].Replace(';', '\n')) : option);
        return [.. arguments, .. paths];
    }

    List<string> Ours(List<string> arguments)
    {
        var result = BackupdrProgram.Run(
            new() { ["BACKUPDR_PASSWORD"] = BackupdrProgram.Password, ["BACKUPDR_TEST_NAME"] = "cache" },
            ["backup", "--repo", tree.Scratch.At("repository"), "--json", .. arguments]);
        Assert.True(result.ExitCode == 0, $"{string.Join(' ', arguments)}: {result.ExitCode} {result.Output}{result.Errors}");
        return Listed();
    }

    List<string> Theirs(List<string> arguments, bool mayFail = false)
    {
        var before = mayFail ? tree.Restic.Snapshots().Count : 0;
        var result = tree.Restic.Run(new Dictionary<string, string> { ["BACKUPDR_TEST_NAME"] = "cache" }, ["backup", .. arguments]);
        Assert.True(mayFail || result.ExitCode == 0, $"{string.Join(' ', arguments)}: {result.ExitCode} {result.Output}{result.Errors}");
        return mayFail && tree.Restic.Snapshots().Count == before ? [] : Listed();
    }

    List<string> Listed() =>
    [
        .. tree.Restic.Succeed("ls", "latest").Split('\n').Where(line => line.StartsWith(tree.Data + "/", StringComparison.Ordinal))
            .Select(line => line[(tree.Data.Length + 1)..]).Order(StringComparer.Ordinal),
    ];
}
