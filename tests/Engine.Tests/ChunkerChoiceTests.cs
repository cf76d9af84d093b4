using System.Text;
using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Chunking;
using BackupDr.Sources.Files;
using BackupDr.Storage.Folder;
using BackupDr.TestKit;
using BackupDr.TestKit.Stores;

namespace BackupDr.Engine.Tests;

public sealed class ChunkerChoiceTests
{
    [Theory]
    [InlineData("auto", ChunkerKind.Auto, 65_536)]
    [InlineData("rabin", ChunkerKind.Rabin, 65_536)]
    [InlineData("fixed", ChunkerKind.Fixed, 65_536)]
    [InlineData("fixed:16K", ChunkerKind.Fixed, 16_384)]
    [InlineData("fixed:131072", ChunkerKind.Fixed, 131_072)]
    [InlineData("fixed:8M", ChunkerKind.Fixed, 8 << 20)]
    public void A_way_is_read(string text, ChunkerKind kind, int bytes)
        => Assert.Equal(new ChunkerChoice(kind, bytes), ChunkerChoice.Parse(text, "--chunker"));

    [Theory]
    [InlineData("")]
    [InlineData("fixed:")]
    [InlineData("fixed:8K")]
    [InlineData("fixed:48K")]
    [InlineData("fixed:16M")]
    [InlineData("fixed:2147483647M")]
    [InlineData("fixed:-64K")]
    [InlineData("Rabin")]
    public void Another_way_is_refused(string text)
        => Assert.Contains("fastcdc", Assert.Throws<BadInputException>(() => ChunkerChoice.Parse(text, "--chunker")).Hint);

    [Theory]
    [InlineData(64 << 10, 1L << 20, 64 << 10)]
    [InlineData(64 << 10, 64L << 30, 64 << 10)]
    [InlineData(64 << 10, (64L << 30) + (64 << 10), 128 << 10)]
    [InlineData(64 << 10, 1L << 40, 1 << 20)]
    [InlineData(16 << 10, 1L << 40, 1 << 20)]
    [InlineData(8 << 20, 1L << 40, 8 << 20)]
    [InlineData(64 << 10, 100L << 40, 8 << 20)]
    public void Fixed_chunks_grow_with_the_file_so_that_its_tree_can_be_read_back(int chunkBytes, long sizeBytes, int expected)
        => Assert.Equal(expected, ChunkerPicker.EnlargedBytes(chunkBytes, sizeBytes));

    [Fact]
    public void A_folder_whose_list_could_not_be_read_back_is_refused_before_it_is_stored()
    {
        BackupPipeline.MustFit(FilePath.FromText("/srv"), BlobReader.MaximumDecoded);

        var e = Assert.Throws<BadInputException>(() => BackupPipeline.MustFit(FilePath.FromText("/srv"), BlobReader.MaximumDecoded + 1L));

        Assert.Contains("/srv", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Page_files_are_recognised_and_others_are_not()
    {
        byte[] postgres = new byte[16 << 10], innoDb = new byte[16 << 10], sqlite = new byte[16 << 10], disk = new byte[16 << 10];
        foreach (var page in (int[])[0, 8 << 10])
            new byte[] { 40, 0, 0, 31, 0, 32, 4, 32 }.CopyTo(postgres, page + 12);
        innoDb[25] = 8;
        "SQLite format 3\0"u8.CopyTo(sqlite);
        (disk[510], disk[511]) = (0x55, 0xaa);
        const long size = 1 << 20;

        Assert.True(PageFile.IsOne("16384"u8, size, postgres));
        Assert.True(PageFile.IsOne("orders.ibd"u8, size, innoDb));
        Assert.True(PageFile.IsOne("places"u8, size, sqlite));
        Assert.True(PageFile.IsOne("vm.raw"u8, size, disk));
        Assert.False(PageFile.IsOne("16384"u8, size + 1, postgres));
        Assert.False(PageFile.IsOne("orders"u8, size, innoDb));
        Assert.False(PageFile.IsOne("places"u8, 64 << 10, sqlite));
        Assert.False(PageFile.IsOne("vm"u8, size, disk));
        Assert.False(PageFile.IsOne("zero.img"u8, size, new byte[16 << 10]));
        Assert.False(PageFile.IsOne("text"u8, size, Encoding.ASCII.GetBytes(new string('a', 16 << 10))));
    }

    /// <summary>qcow2, version 2 and 3: magic, version, then a header whose first fields are big-endian. VMDK, sparse extent: magic,
    /// version 1, flags, capacity in sectors, little-endian; a split or stream-optimised one begins alike.</summary>
    [Fact]
    public void Disk_images_are_recognised_by_their_header_whatever_their_name()
    {
        static byte[] Head(params ReadOnlySpan<byte> header)
        {
            var head = new byte[PageFile.HeadBytes];
            header.CopyTo(head);
            return head;
        }
        // Version, backing file at 0, its length 0, 64 KiB clusters (16 bits), 10 GiB.
        static byte[] Qcow(byte version) => Head(
            [.. "QFI"u8, 0xfb, 0, 0, 0, version, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 2, 0x80, 0, 0, 0]);
        // Version 1, flags 3 (line endings, redundant grain table), 0x1400000 sectors, 128 sectors a grain.
        byte[] vmdk = Head([(byte)'K', (byte)'D', (byte)'M', (byte)'V', 1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0x40, 1, 0, 0, 0, 0, 128]);
        const long size = 10 << 20;

        foreach (var head in (byte[][])[Qcow(2), Qcow(3), vmdk])
        {
            foreach (var name in (string[])["vm.qcow2", "vm.vmdk", "disk-0", "backup.bin"])
                Assert.True(PageFile.IsOne(Encoding.ASCII.GetBytes(name), size + 512, head), name);
            Assert.False(PageFile.IsOne("vm.qcow2"u8, PageFile.SmallestBytes - 1, head));
            Assert.False(PageFile.IsOne("vm.qcow2"u8, size, [0, .. head[..^1]]));
        }
        // A descriptor is a text of a few lines, and a name alone is no structure.
        Assert.False(PageFile.IsOne("vm.vmdk"u8, size, Head("# Disk DescriptorFile\nversion=1\n"u8)));
        Assert.False(PageFile.IsOne("vm.qcow2"u8, size, new byte[PageFile.HeadBytes]));
    }

    [Fact]
    public async Task A_changed_page_of_a_database_costs_one_fixed_chunk()
    {
        using var scratch = new ScratchFolder();
        var data = Prepared.Noise(4 << 20, seed: 31);
        "SQLite format 3\0"u8.CopyTo(data);
        scratch.File("source/note", "x");
        await File.WriteAllBytesAsync(scratch.At("source/app.db"), data, TestContext.Current.CancellationToken);
        using var repository = await Prepared.Init(new MemoryStore());
        await Prepared.Backup(repository, scratch.At("source"));
        data[1_000_000] ^= 1;
        await File.WriteAllBytesAsync(scratch.At("source/app.db"), data, TestContext.Current.CancellationToken);

        var second = await Prepared.Backup(repository, scratch.At("source"));

        Assert.InRange(second.BytesNew, 64 << 10, (64 << 10) + 8_192);
    }

    [Fact, Clause("F-10.4")]
    public async Task What_stock_restic_stored_is_not_stored_again()
    {
        using var scratch = new ScratchFolder();
        var path = Prepared.Folder(scratch);
        var restic = new ResticCli(scratch.At("repo"), Prepared.PasswordText, scratch.At("cache"));
        restic.Succeed("init");
        restic.Backup(path);
        using var repository = await Prepared.Open(new FolderStore(FilePath.FromText(scratch.At("repo")), TimeProvider.System));
        using var source = FileSource.Open(new FilesSpec { Paths = [FilePath.FromText(path)] });

        var run = await BackupRun.Execute(repository, source, new BackupRequest { HostName = "here", Force = true }, null,
            TestContext.Current.CancellationToken);

        Assert.InRange(run.BytesNew, 0, 16 << 10);
    }
}
