using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Engine.Format;
using BackupDr.Sources.Files;
using BackupDr.Storage.Posix;
using BackupDr.TestKit;

namespace BackupDr.Sources.Tests;

public sealed class OwnerRulesTests
{
    static Node Owned(uint uid, string user, uint gid = 50, string group = "staff") => new()
    {
        Name = FilePath.FromText("file"),
        Type = NodeType.File,
        Permissions = 0x9ED,   // setuid: setting an owner clears it, so it must come later
        ModifiedAt = default,
        AccessedAt = default,
        ChangedAt = default,
        Uid = uid,
        Gid = gid,
        User = user,
        Group = group,
    };

    [Theory]
    [InlineData("1000=2000", 2000)]
    [InlineData("alice=root", 0)]
    [InlineData("alice=3000", 3000)]
    [InlineData("bob=2000", 1000)]
    public void Owners_are_found_by_name_or_number(string rule, uint uid)
        => Assert.Equal((uid, 50u), OwnerRules.Parse([rule], []).Of(Owned(1000, "alice")));

    [Fact]
    public void A_rule_for_the_number_goes_before_one_for_the_name_and_groups_have_their_own()
        => Assert.Equal((7u, 8u), OwnerRules.Parse(["alice=6", "1000=7"], ["staff=8"]).Of(Owned(1000, "alice")));

    [Theory]
    [InlineData("alice")]
    [InlineData("=bob")]
    [InlineData("alice=")]
    [InlineData("alice=no-such-user-here")]
    public void A_rule_of_another_form_or_for_nobody_is_refused(string rule)
        => Assert.Equal("--map-owner", Assert.Throws<BadInputException>(() => OwnerRules.Parse([rule], [])).Field);

    [Fact]
    public void Files_get_the_mapped_owner_and_keep_their_mode()
    {
        Mount.NeedRoot();
        Assert.Equal((4321u, 50u), Restored(OwnerRules.Parse(["1000=4321"], [])));
        Assert.Equal((1000u, 50u), Restored(OwnerRules.AsStored));
        Assert.Equal((AccountNames.CurrentUid, 0u), Restored(OwnerRules.None));
    }

    static (uint, uint) Restored(OwnerRules owners)
    {
        using var scratch = new ScratchFolder();
        var node = Owned(1000, "alice");
        using var target = FileTarget.Open(scratch.FilePath, new FileTargetOptions { Overwrite = OverwritePolicy.Always, Owners = owners });
        using (var file = target.OpenFile([node.Name], node)!) file.Finish(node);
        var status = Descriptor.StatOf(FilePath.FromText(scratch.At("file")));
        Assert.Equal(0x9ED, status.Permissions);
        return (status.Uid, status.Gid);
    }
}
