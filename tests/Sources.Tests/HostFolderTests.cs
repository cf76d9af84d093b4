using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Sources.Files;
using BackupDr.TestKit;

namespace BackupDr.Sources.Tests;

public sealed class HostFolderTests : IDisposable
{
    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public void Folders_come_first_then_names_by_their_bytes()
    {
        _scratch.File("b", "12345");
        _scratch.File("a-folder/x");
        _scratch.Folder("z-folder");
        File.CreateSymbolicLink(_scratch.At("link"), "b");
        Tool.Succeed("mkfifo", _scratch.At("fifo"));

        var listing = HostFolder.List(_scratch.FilePath);

        Assert.Equal(["a-folder", "z-folder", "b", "fifo", "link"], listing.Entries.Select(e => e.Name.ToString()));
        Assert.Equal([EntryKind.Folder, EntryKind.Folder, EntryKind.File, EntryKind.Other, EntryKind.Link],
            listing.Entries.Select(e => e.Kind));
        Assert.Equal(5, listing.Entries[2].SizeBytes);
        Assert.Equal("b", listing.Entries[4].LinkTarget.ToString());
        Assert.False(listing.IsCut);
    }

    [Fact]
    public void More_than_a_person_can_read_is_cut_and_says_so()
    {
        for (var i = 0; i <= HostFolder.EntryLimit; i++) File.Create(_scratch.At($"{i}")).Dispose();

        var listing = HostFolder.List(_scratch.FilePath);

        Assert.Equal(HostFolder.EntryLimit, listing.Entries.Count);
        Assert.True(listing.IsCut);
    }

    [Fact]
    public void What_cannot_be_listed_says_why()
    {
        var file = _scratch.File("file");

        Assert.Throws<NotFoundException>(() => HostFolder.List(FilePath.FromText(_scratch.At("none"))));
        Assert.Throws<BadInputException>(() => HostFolder.List(FilePath.FromText(file)));
        Assert.Throws<BadInputException>(() => HostFolder.List(FilePath.FromText("relative")));
    }
}
