using BackupDr.Contracts;

namespace BackupDr.Storage.Tests;

public sealed class StoreFactoryTests
{
    [Theory]
    [InlineData("/srv/backup", "/srv/backup")]
    [InlineData("local:/srv/backup", "/srv/backup")]
    [InlineData("/srv/../srv/backup/", "/srv/backup/")]
    [InlineData("/srv/a:b", "/srv/a:b")]
    public async Task A_path_opens_a_folder(string url, string path)
    {
        await using var store = StoreFactory.Open(url);

        Assert.Equal(path, store.Url);
    }

    [Theory]
    [InlineData("rclone:remote:folder", "'rclone:'")]
    [InlineData("sftp:user@host:/srv", "'sftp:'")]
    [InlineData("", "No repository")]
    [InlineData("local:", "No repository")]
    public void What_this_version_does_not_have_says_what_it_has(string url, string words)
    {
        var e = Assert.Throws<BadInputException>(() => StoreFactory.Open(url));

        Assert.Contains(words, e.Message, StringComparison.Ordinal);
        Assert.Contains("local:/path", e.Hint, StringComparison.Ordinal);
    }
}
