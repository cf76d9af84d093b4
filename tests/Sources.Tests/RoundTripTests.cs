using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Sources.Files;
using BackupDr.TestKit;
using BackupDr.TestKit.Trees;

namespace BackupDr.Sources.Tests;

public sealed class RoundTripTests : IDisposable
{
    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Everything_that_a_file_system_holds_comes_back_exactly(int seed)
    {
        var source = FilePath.FromText(_scratch.Folder("source"));
        OddTree.Make(source, seed);
        using var target = FileTarget.Open(FilePath.FromText(_scratch.At("target")), OverwritePolicy.Never);

        var copy = TreeCopy.Run(FileSource.Open(new FilesSpec { Paths = [source] }), target);

        Assert.Empty(copy.Failures);
        Assert.Empty(copy.Lost);
        Assert.Empty(target.Remarks);
        Assert.Empty(FsDiff.Compare(source, FilePath.FromText(_scratch.At("target") + source)));
    }
}
