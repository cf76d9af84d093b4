using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.TestKit;
using BackupDr.TestKit.Servers;
using BackupDr.TestKit.Trees;

namespace BackupDr.Cli.Tests;

/// <summary>Into the archive and back, by the program alone.</summary>
public sealed class TierCommandTests(AzuriteServer azurite) : IDisposable
{
    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public async Task What_was_moved_to_an_archive_is_restored_after_a_thaw_that_was_asked_for()
    {
        var url = (await azurite.NewContainer("hosts/one")).ToString();
        var environment = azurite.Keys;
        environment["BACKUPDR_PASSWORD"] = BackupdrProgram.Password;
        environment["BACKUPDR_CACHE_DIR"] = _scratch.At("cache");
        ToolResult Run(params IEnumerable<string> arguments) => BackupdrProgram.Run(environment, [.. arguments, "--repo", url]);
        string Succeed(params IEnumerable<string> arguments)
        {
            var result = Run(arguments);
            Assert.True(result.ExitCode == 0, $"{result.ExitCode}: {result.Output}{result.Errors}");
            return result.Output;
        }
        var noise = new byte[3 << 20];
        new Random(7).NextBytes(noise);
        _scratch.File("source/words", "words");
        File.WriteAllBytes(_scratch.At("source/noise"), noise);
        var source = _scratch.At("source");
        string[] restore = ["restore", $"latest:{source}", "--target", _scratch.At("restored")];
        Succeed("repo", "init");
        Succeed("backup", source);

        Assert.Contains("Moved 0 packs", Succeed("tier", "--class", "Archive", "--older-than", "30d"), StringComparison.Ordinal);
        Assert.Contains("Would move ", Succeed("tier", "--class", "Archive", "--older-than", "0", "--dry-run"), StringComparison.Ordinal);
        using (var moved = JsonDocument.Parse(Succeed("tier", "--class", "Archive", "--older-than", "0", "--json")))
            Assert.True(moved.RootElement.GetProperty("moved_packs").GetInt32() > 0);
        var refused = Run(restore);
        var dump = Run("dump", "latest", $"{source}/words");

        Assert.Equal((20, 20), (refused.ExitCode, dump.ExitCode));
        Assert.Contains("lies in an archive", refused.Errors, StringComparison.Ordinal);
        Assert.Contains("--thaw-wait 24h", refused.Errors, StringComparison.Ordinal);
        Assert.Equal("", dump.Output);
        Assert.Contains("To be thawed first, with --thaw: ", Succeed([.. restore, "--dry-run"]), StringComparison.Ordinal);
        Assert.Contains("in an archive: not read.", Succeed("check", "--read-data"), StringComparison.Ordinal);
        Succeed([.. restore, "--thaw", "--thaw-wait", "1m"]);
        Assert.Empty(FsDiff.Compare(FilePath.FromText(source), FilePath.FromText(_scratch.At("restored")),
            new FsDiffOptions { CompareRoots = false }));
        Assert.Equal("words", Succeed("dump", "latest", $"{source}/words"));
    }
}
