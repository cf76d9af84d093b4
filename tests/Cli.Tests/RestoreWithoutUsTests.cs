using BackupDr.Contracts;
using BackupDr.TestKit;
using BackupDr.TestKit.Trees;

namespace BackupDr.Cli.Tests;

public sealed class RestoreWithoutUsTests : IDisposable
{
    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public void Every_command_of_the_page_works_as_written_and_brings_everything_back()
    {
        Tool.Need("restic", "restic");
        var repository = BackupdrProgram.NewRepository(_scratch);
        _scratch.File("data/etc/hosts", "127.0.0.1 localhost\n");
        _scratch.File("data/notes.txt", "notes");
        BackupdrProgram.Succeed("backup", "--repo", repository, _scratch.At("data"));
        var password = _scratch.File("password", BackupdrProgram.Password);
        var (target, one) = (_scratch.At("back"), _scratch.At("one-file"));
        var commands = Documents.Commands("docs/operate/restore-without-us.md", section: "");

        Assert.True(commands.Count >= 6, $"{commands.Count} commands were found on the page.");
        foreach (var command in commands)
        {
            var filled = command.Replace("/path/to/repository", repository, StringComparison.Ordinal)
                .Replace("/path/to/password", password, StringComparison.Ordinal)
                .Replace("/path/to/back", target, StringComparison.Ordinal)
                .Replace("/path/to/one-file", one, StringComparison.Ordinal)
                .Replace("/srv/data", _scratch.At("data"), StringComparison.Ordinal);
            var result = Tool.Run("sh", ["-ec", filled], new Dictionary<string, string> { ["RESTIC_CACHE_DIR"] = _scratch.At("cache") });
            Assert.True(result.ExitCode == 0, $"{filled} ended with {result.ExitCode}: {result.Output}{result.Errors}");
        }

        Assert.Empty(FsDiff.Compare(FilePath.FromText(_scratch.At("data")), FilePath.FromText(target + _scratch.At("data"))));
        Assert.Equal("notes", File.ReadAllText(one));
    }
}
