using System.Security.Cryptography;
using BackupDr.Contracts;
using BackupDr.TestKit;
using BackupDr.TestKit.Trees;

namespace BackupDr.Cli.Tests;

/// <summary>dump, with GNU tar as the judge of archives.</summary>
public sealed class DumpCommandTests : IDisposable
{
    readonly ScratchFolder _scratch = new();
    readonly string _repository;

    public DumpCommandTests()
    {
        _repository = BackupdrProgram.NewRepository(_scratch);
        File.WriteAllBytes(_scratch.File("data/large"), RandomNumberGenerator.GetBytes(5 << 20));
        _scratch.File("data/empty", "");
        _scratch.File($"data/{new string('n', 200)}/{new string('m', 200)}", "a long name");
        _scratch.File("data/Grüße", "no ASCII");
        File.CreateSymbolicLink(_scratch.At("data/link"), new string('t', 150));
        Shell("cd \"$0\" && ln large hard && mkfifo pipe && touch -d '1969-12-31 23:59:58.25 UTC' empty && touch \"$(printf 'raw\\377')\"");
        Shell("setfattr -n user.note -v hello \"$0/empty\" && chmod 4755 \"$0/empty\" && chown -h 3000000:12 \"$0/link\"");
        BackupdrProgram.Succeed("backup", "--repo", _repository, _scratch.At("data"));
    }

    public void Dispose() => _scratch.Dispose();

    void Shell(string script) => Succeed("sh", "-ec", script, _scratch.At("data"));

    static void Succeed(string tool, params string[] arguments)
    {
        var result = Tool.Run(tool, arguments, new Dictionary<string, string>());
        Assert.True(result.ExitCode == 0, $"{tool} ended with {result.ExitCode}: {result.Output}{result.Errors}");
    }

    ToolResult Dump(string path, params string[] more)
        => BackupdrProgram.Run(["dump", "latest", path, "--repo", _repository, .. more]);

    [Fact]
    public void A_folder_unpacked_by_tar_is_the_folder_that_was_backed_up()
    {
        Tool.Need("setfattr", "attr");
        var archive = _scratch.At("archive.tar");

        var result = Dump(_scratch.At("data"), "--target", archive);

        Assert.Equal((0, ""), (result.ExitCode, result.Errors));
        Directory.CreateDirectory(_scratch.At("out"));
        Succeed("tar", "--xattrs", "--xattrs-include=*", "--numeric-owner", "-xpf", archive, "-C", _scratch.At("out"));
        Assert.Empty(FsDiff.Compare(FilePath.FromText(_scratch.At("data")), FilePath.FromText(_scratch.At("out") + _scratch.At("data"))));
    }

    [Fact]
    public void A_file_comes_as_its_bytes_and_an_existing_target_is_left_alone()
    {
        var target = _scratch.At("copy");

        Assert.Equal(0, Dump(_scratch.At("data/large"), "--target", target).ExitCode);
        Assert.Equal(File.ReadAllBytes(_scratch.At("data/large")), File.ReadAllBytes(target));
        Assert.Equal("no ASCII", Dump(_scratch.At("data/Grüße")).Output);
        Assert.Equal(1, Dump(_scratch.At("data/empty"), "--target", target).ExitCode);
        Assert.Equal(1, Dump(_scratch.At("data/link")).ExitCode);
        Assert.Equal(1, Dump(_scratch.At("data"), "--archive", "rar").ExitCode);
        Assert.Equal(5 << 20, new FileInfo(target).Length);
    }
}
