using BackupDr.TestKit;

namespace BackupDr.Cli.Tests;

public sealed class ExcludeFileTests : IDisposable
{
    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public void Patterns_on_file_leave_out_and_typed_ones_take_it_back()
    {
        var repository = BackupdrProgram.NewRepository(_scratch);
        foreach (var name in (string[])["a.log", "keep.log", "a.txt", "cache/b.bin"]) _scratch.File($"data/{name}", name);
        _scratch.File("rules", "# what can be made again\n\n  *.log  \n/**/cache\n");

        BackupdrProgram.Succeed("backup", "--repo", repository, "--exclude-file", _scratch.At("rules"),
            "-e", "!keep.log", _scratch.At("data"));
        BackupdrProgram.Succeed("restore", $"latest:{_scratch.At("data")}", "--repo", repository, "--target", _scratch.At("out"));

        Assert.Equal(["a.txt", "keep.log"],
            Directory.EnumerateFileSystemEntries(_scratch.At("out")).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_file_that_is_missing_or_not_UTF8_or_holds_a_bad_pattern_is_refused_before_anything_is_written()
    {
        var repository = BackupdrProgram.NewRepository(_scratch);
        _scratch.File("data/a", "a");
        _scratch.File("open", "ok\n[a-\n");
        File.WriteAllBytes(_scratch.At("latin"), [(byte)'b', 0xFC, (byte)'\n']);
        var before = BackupdrProgram.Files(repository);

        foreach (var (file, says) in ((string, string)[])[("none", "cannot be read"), ("latin", "not UTF-8"), ("open", "'['")])
        {
            var result = BackupdrProgram.Run("backup", "--repo", repository, "--exclude-file", _scratch.At(file), _scratch.At("data"));

            Assert.Equal(1, result.ExitCode);
            Assert.Contains(says, result.Errors, StringComparison.Ordinal);
        }
        Assert.Equal(before, BackupdrProgram.Files(repository));
    }
}
