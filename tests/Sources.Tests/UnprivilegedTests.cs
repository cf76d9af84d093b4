using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Sources.Files;
using BackupDr.Storage.Posix;
using BackupDr.TestKit;
using BackupDr.TestKit.Trees;

namespace BackupDr.Sources.Tests;

/// <summary>What an agent does that is not root. The inner tests run in a process of the user nobody.</summary>
public sealed class UnprivilegedTests : IDisposable
{
    const string Variable = "BACKUPDR_UNPRIVILEGED_FOLDER";
    const string Nobody = "65534";
    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    static string Folder
        => Environment.GetEnvironmentVariable(Variable) ?? throw new InvalidOperationException("This test is started by another one.");

    [Theory]
    [InlineData(nameof(Everything_of_its_own_comes_back_exactly))]
    [InlineData(nameof(What_it_may_not_read_is_missing_and_the_rest_is_there))]
    [InlineData(nameof(A_root_that_it_may_not_read_is_a_failure_and_no_empty_snapshot))]
    [InlineData(nameof(Owners_that_it_cannot_give_are_a_remark))]
    public void A_user_who_is_not_root(string inner)
    {
        Mount.NeedRoot();
        Tool.Need("setpriv", "util-linux");
        _scratch.File("rights/readable", "fine");
        _scratch.File("rights/secret", "not yours");
        _scratch.File("rights/locked/inside", "not yours");
        Tool.Succeed("chown", "-R", $"{Nobody}:{Nobody}", _scratch.Path);
        Tool.Succeed("sh", "-ec", $"cd '{_scratch.Path}/rights'; chown root secret locked; chmod 600 secret; chmod 700 locked");

        var result = Tool.Run("setpriv", [$"--reuid={Nobody}", $"--regid={Nobody}", "--clear-groups", Environment.ProcessPath!,
            "-method", $"{typeof(UnprivilegedTests).FullName}.{inner}", "-explicit", "only", "-noColor"],
            new Dictionary<string, string> { [Variable] = _scratch.Path, ["HOME"] = _scratch.Path, ["TMPDIR"] = _scratch.Path });

        Assert.True(result.ExitCode == 0, result.Output + result.Errors);
    }

    [Fact(Explicit = true)]
    public void Everything_of_its_own_comes_back_exactly()
    {
        var source = FilePath.FromText(Directory.CreateDirectory(Path.Combine(Folder, "source")).FullName);
        OddTree.Make(source, seed: 61, everythingReadable: true);
        using var target = FileTarget.Open(FilePath.FromText(Path.Combine(Folder, "target")), OverwritePolicy.Never);

        var copy = TreeCopy.Run(FileSource.Open(new FilesSpec { Paths = [source] }), target);

        Assert.Empty(copy.Failures);
        Assert.Empty(copy.Lost);
        Assert.Empty(FsDiff.Compare(source, FilePath.FromText(Path.Combine(Folder, "target") + source)));
    }

    [Fact(Explicit = true)]
    public void What_it_may_not_read_is_missing_and_the_rest_is_there()
    {
        var source = Path.Combine(Folder, "rights");
        using var target = FileTarget.Open(FilePath.FromText(Path.Combine(Folder, "target")), OverwritePolicy.Never);

        var copy = TreeCopy.Run(FileSource.Open(new FilesSpec { Paths = [FilePath.FromText(source)] }), target);

        Assert.Equal([$"{source}/locked", $"{source}/secret"],
            copy.Lost.Select(lost => lost.Path.ToString()).Order(StringComparer.Ordinal));
        Assert.All(copy.Lost, lost => Assert.Equal("open: Permission denied", lost.Message));
        Assert.Equal("fine", File.ReadAllText($"{Folder}/target{source}/readable"));
    }

    [Fact(Explicit = true)]
    public void A_root_that_it_may_not_read_is_a_failure_and_no_empty_snapshot()
    {
        var locked = Path.Combine(Folder, "rights", "locked");
        using var target = FileTarget.Open(FilePath.FromText(Path.Combine(Folder, "target")), OverwritePolicy.Never);

        var refused = Assert.Throws<DeniedException>(
            () => TreeCopy.Run(FileSource.Open(new FilesSpec { Paths = [FilePath.FromText(locked)] }), target));

        Assert.Contains($"{locked}: Permission denied", refused.Message, StringComparison.Ordinal);
    }

    [Fact(Explicit = true)]
    public void Owners_that_it_cannot_give_are_a_remark()
    {
        using var target = FileTarget.Open(FilePath.FromText(Path.Combine(Folder, "target")), OverwritePolicy.Never);

        var copy = TreeCopy.Run(FileSource.Open(new FilesSpec { Paths = [FilePath.FromText("/etc/hostname")] }), target);

        Assert.Empty(copy.Failures);
        Assert.Contains("root", Assert.Single(target.Remarks).Message, StringComparison.Ordinal);
        Assert.Equal(AccountNames.CurrentUid, Descriptor.StatOf(FilePath.FromText($"{Folder}/target/etc/hostname")).Uid);
    }
}
