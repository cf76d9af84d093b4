using BackupDr.Contracts.Rules.Restic;

namespace BackupDr.Contracts.Tests.Rules;

/// <summary>What the unmodified restic program writes, in the words of its versions.</summary>
public sealed class CheckOutputTests
{
    [Theory]
    [InlineData("restic 0.14.0 compiled with go1.19.8 on linux/amd64", "0.14.0")]
    [InlineData("restic 0.18.1 (v0.18.1) compiled with go1.25.1 on linux/amd64", "0.18.1")]
    [InlineData("sh: restic: not found", null)]
    public void Its_version_is_told(string line, string? version) => Assert.Equal(version, CheckOutput.Version([line]));

    public static TheoryData<int, string[], string[], string?> Outputs => new()
    {
        { 0, ["using temporary cache in /tmp/restic-check-cache-1", "load indexes", "check all packs", "no errors were found"], [], null },
        {
            1, ["load indexes", "check all packs", "pack 8f2c1a44: does not exist", "check snapshots, trees and blobs",
                "error for tree 6ae2d1f0:", "  tree 6ae2d1f0: file \"a\" blob 1 not found in index", "Fatal: repository contains errors"],
            ["pack 8f2c1a44: does not exist", "error for tree 6ae2d1f0:", "tree 6ae2d1f0: file \"a\" blob 1 not found in index"], null
        },
        { 1, ["load indexes", "Fatal: LoadIndex returned errors"], ["Fatal: LoadIndex returned errors"], null },
        { 1, ["", "Fatal: wrong password or no key found"], [], "Fatal: wrong password or no key found" },
        { 1, ["Fatal: unable to open config file: dial tcp: i/o timeout", "Is there a repository at the following location?"], [],
            "Fatal: unable to open config file: dial tcp: i/o timeout" },
        { 12, ["Fatal: wrong password or no key found"], [], "Fatal: wrong password or no key found" },
        { 137, [], [], "It ended with 137 and said nothing." },
    };

    [Theory]
    [MemberData(nameof(Outputs))]
    public void Damage_is_told_from_what_only_kept_it_from_looking(int exitCode, string[] lines, string[] errors, string? problem)
    {
        var found = CheckOutput.Read(exitCode, lines);

        Assert.Equal(errors, found.Errors);
        Assert.Equal(problem, found.Problem);
    }

    [Fact]
    public void It_gets_the_parts_of_a_connection_string_and_the_region_alone()
    {
        Assert.Equal([("AZURE_STORAGE_CONNECTION_STRING", "AccountName=a;AccountKey=b==;X=1"), ("AZURE_ACCOUNT_NAME", "a"),
            ("AZURE_ACCOUNT_KEY", "b==")], StockCommand.Variables(new Dictionary<string, string>
            {
                ["AZURE_STORAGE_CONNECTION_STRING"] = "AccountName=a;AccountKey=b==;X=1",
            }));
        Assert.Empty(StockCommand.Variables(null));
        Assert.Equal("s3.region=eu-1", StockCommand.Region(["s3.connections=5", "s3.region=eu-1"]));
    }
}
