using BackupDr.Cli.Commands;
using BackupDr.Cli.Up;
using BackupDr.Contracts;
using BackupDr.Engine.Format;

namespace BackupDr.Cli.Tests;

public sealed class WordsTests
{
    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(1023, "1023 B")]
    [InlineData(1024, "1.000 KiB")]
    [InlineData(3136, "3.062 KiB")]
    [InlineData(1610612736, "1.500 GiB")]
    public void A_size_is_written_as_restic_writes_it(long bytes, string text) => Assert.Equal(text, Output.Size(bytes));

    [Theory]
    [InlineData("The node at https://n:1 refuses the token.\n  It was used already: ask for another.\n",
        "The node at https://n:1 refuses the token.", "It was used already: ask for another.")]
    [InlineData("info: looking\nIt does not answer.\n  Is it on?\n  Try later.", "It does not answer.", "Is it on? Try later.")]
    [InlineData("Segmentation fault\n", "Segmentation fault", null)]
    [InlineData("  only set in", "only set in", null)]
    [InlineData("", "exit code 1", null)]
    public void What_a_program_of_ours_says_last_is_its_reason_and_then_its_advice(string text, string reason, string? advice)
        => Assert.Equal((reason, advice), new ToolOutcome(1, text).Failure);

    [Fact]
    public void Progress_tells_share_speed_and_time_left()
        => Assert.Equal("[0:10] 25.0% 100.000 MiB of 400.000 MiB, 3 of 9 files, 10.000 MiB/s, 0:30 left",
            ProgressLine.Text(new Step(3, 9, 100 << 20, 400 << 20), TimeSpan.FromSeconds(10)));

    [Fact]
    public void Progress_without_an_end_promises_none()
        => Assert.Equal("[0:10] 0 B, 3 of 9 packs", ProgressLine.Text(new Step(3, 9, 0, null, "packs"), TimeSpan.FromSeconds(10)));

    [Theory]
    [InlineData(NodeType.Dir, 0b111_101_101, "drwxr-xr-x")]
    [InlineData(NodeType.File, 0x9ED, "-rwsr-xr-x")]
    [InlineData(NodeType.Dir, 0x3FF, "drwxrwxrwt")]
    [InlineData(NodeType.File, 0x400, "------S---")]
    public void A_mode_is_written_as_ls_writes_it(NodeType type, int permissions, string text)
    {
        var time = new UnixTime(0, 0);

        Assert.Equal(text, LsCommand.Mode(new Node
        {
            Name = FilePath.FromText("a"),
            Type = type,
            Permissions = permissions,
            ModifiedAt = time,
            AccessedAt = time,
            ChangedAt = time,
            Uid = 0,
            Gid = 0,
        }));
    }
}
