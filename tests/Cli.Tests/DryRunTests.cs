using System.Text.Json;
using BackupDr.TestKit;

namespace BackupDr.Cli.Tests;

public sealed class DryRunTests : IDisposable
{
    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public void A_dry_run_tells_what_a_backup_would_do_with_a_reason_for_each_thing_left_out_and_writes_nothing()
    {
        var repository = BackupdrProgram.NewRepository(_scratch);
        foreach (var name in (string[])["same", "edited", "no.tmp", "by-file", "cache/x", "marked/x"]) _scratch.File($"data/{name}", name);
        _scratch.File("data/cache/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55");
        _scratch.File("data/marked/.nobackup");
        _scratch.File("data/large", new string('x', 2000));
        _scratch.File("rules", "# remark\nby-file\n");
        string[] options = ["--repo", repository, "-e", "*.tmp", "--exclude-file", _scratch.At("rules"), "--exclude-caches",
            "--exclude-if-present", ".nobackup", "--exclude-larger-than", "1K", _scratch.At("data")];
        BackupdrProgram.Succeed(["backup", .. options]);
        _scratch.File("data/edited", "edited now");
        _scratch.File("data/fresh", "fresh");
        var before = BackupdrProgram.Files(repository);

        var words = BackupdrProgram.Succeed(["backup", "--dry-run", .. options]);
        var items = Json(BackupdrProgram.Succeed(["backup", "--dry-run", "--json", .. options]));
        Assert.Equal(before, BackupdrProgram.Files(repository));
        var real = Json(BackupdrProgram.Succeed(["backup", "--json", .. options]));

        Assert.Equal(["edited modified", "fresh new", "same unchanged"],
            Of(items, "edited", "fresh", "same").Select(item => $"{Name(item)} {item.GetProperty("action").GetString()}"));
        Assert.Equal(
        [
            "by-file matches 'by-file' (" + _scratch.At("rules") + ":2)",
            "cache/x the folder has a CACHEDIR.TAG (--exclude-caches)",
            "large has 2000 bytes, more than 1024 (--exclude-larger-than)",
            "marked/x the folder has a .nobackup (--exclude-if-present .nobackup)",
            "no.tmp matches '*.tmp' (--exclude)",
        ], items.Where(item => item.TryGetProperty("reason", out _))
            .Select(item => $"{Name(item)} {item.GetProperty("reason").GetString()}").Order(StringComparer.Ordinal));
        Assert.Contains($"excluded  {_scratch.At("data/no.tmp")}: matches '*.tmp' (--exclude)", words, StringComparison.Ordinal);
        Assert.Contains("Dry run: nothing was written.", words, StringComparison.Ordinal);
        foreach (var count in (string[])["files_new", "files_changed", "files_unmodified", "total_bytes_processed"])
            Assert.Equal(real[^1].GetProperty(count).GetInt64(), items[^1].GetProperty(count).GetInt64());
        Assert.True(items[^1].GetProperty("dry_run").GetBoolean());
        Assert.InRange(items[^1].GetProperty("data_added").GetInt64(), 1, real[^1].GetProperty("data_added").GetInt64() + 4096);
    }

    [Fact]
    public void The_content_of_a_file_with_three_names_is_read_once()
    {
        var repository = BackupdrProgram.NewRepository(_scratch);
        _scratch.File("data/first", new string('x', 5000));
        Tool.Succeed("ln", _scratch.At("data/first"), _scratch.At("data/second"));
        _scratch.Folder("data/sub");
        Tool.Succeed("ln", _scratch.At("data/first"), _scratch.At("data/sub/third"));

        var result = BackupdrProgram.RunTraced(_scratch.At("trace"), ["-e", "trace=openat"], "backup", "--repo", repository, "--json",
            _scratch.At("data"));
        BackupdrProgram.Succeed("restore", $"latest:{_scratch.At("data")}", "--repo", repository, "--target", _scratch.At("out"));

        Assert.Equal(0, result.ExitCode);
        string[] names = ["\"first\"", "\"second\"", "\"third\""];
        Assert.Single(File.ReadLines(_scratch.At("trace")), line => names.Any(name => line.Contains(name, StringComparison.Ordinal)));
        Assert.Equal(3, Json(result.Output)[^1].GetProperty("files_new").GetInt64());
        Assert.Equal(["3", "3", "3"], Tool.Succeed("stat", "-c", "%h", _scratch.At("out/first"), _scratch.At("out/second"),
            _scratch.At("out/sub/third")).Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(new string('x', 5000), File.ReadAllText(_scratch.At("out/sub/third")));
    }

    string Name(JsonElement item) => item.GetProperty("item").GetString()![(_scratch.At("data").Length + 1)..];

    IEnumerable<JsonElement> Of(List<JsonElement> items, params string[] names)
        => names.SelectMany(name => items.Where(item => item.TryGetProperty("item", out var path)
            && path.GetString() == _scratch.At($"data/{name}")));

    static List<JsonElement> Json(string output)
    {
        var lines = new List<JsonElement>();
        foreach (var line in output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            using var document = JsonDocument.Parse(line);
            lines.Add(document.RootElement.Clone());
        }
        return lines;
    }
}
