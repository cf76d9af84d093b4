using BackupDr.TestKit;

namespace BackupDr.Cli.Tests;

/// <summary>What apply refuses before it asks a node.</summary>
public sealed class ApplyCommandTests : IDisposable
{
    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public void Files_that_are_no_documents_are_refused_with_the_place()
    {
        File.WriteAllBytes(_scratch.At("latin.yaml"), [.. "a: b\nname: gr"u8, 0xfc, .. "n\n"u8]);
        File.WriteAllBytes(_scratch.At("big.yaml"), new byte[10 << 20]);
        Directory.CreateDirectory(_scratch.At("empty"));

        var cases = new (string[] Arguments, string Words)[]
        {
            (["-f", _scratch.At("missing.yaml")], "missing.yaml cannot be read"),
            (["-f", _scratch.At("latin.yaml")], "latin.yaml:2:9: This is no UTF-8."),
            (["-f", _scratch.At("big.yaml")], "big.yaml is longer than 1.000 MiB"),
            (["-f", _scratch.At("empty")], "There is no document in"),
            (["-f", _scratch.File("a.yaml", "a"), "--prune"], "--prune without a folder"),
            (["-f", _scratch.File("a.yaml", "a")], "Neither --url nor BACKUPDR_URL is given."),
            (["-f", _scratch.File("a.yaml", "a"), "--url", "http://127.0.0.1:1", "--api-key-file", _scratch.File("key", "k")],
                "cannot be reached"),
        };
        foreach (var (arguments, words) in cases)
        {
            var result = BackupdrProgram.Run(["apply", .. arguments]);
            Assert.True(result.ExitCode == 1 && result.Output.Length == 0, $"{words}: {result.ExitCode} {result.Output}");
            Assert.Contains(words, result.Errors, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_template_is_played_and_one_that_is_none_is_refused()
    {
        var gold = BackupdrProgram.Run("policy", "simulate", "--template", "gold", "--keep-yearly", "0", "--days", "10");
        var none = BackupdrProgram.Run("policy", "simulate", "--template", "platinum");

        Assert.Equal((0, 1), (gold.ExitCode, none.ExitCode));
        Assert.StartsWith("Keeps the newest of each of 168 hours, 60 days, 26 weeks and 24 months, and never fewer than 7.", gold.Output,
            StringComparison.Ordinal);
        Assert.Contains("Of Gold, Standard, Bronze", none.Errors, StringComparison.Ordinal);
    }
}
