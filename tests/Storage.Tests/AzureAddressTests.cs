using BackupDr.Contracts;
using BackupDr.Storage.Azure;

namespace BackupDr.Storage.Tests;

public sealed class AzureAddressTests
{
    static readonly string Key = Convert.ToBase64String(new byte[64]);

    static AzureStore Open(params (string Name, string Value)[] variables) => new(AzureAddress.Parse("azure:container:/"), new StoreOptions
    {
        Environment = name => variables.FirstOrDefault(variable => variable.Name == name).Value,
    });

    [Theory]
    [InlineData("azure:container:/", "azure:container:/", "")]
    [InlineData("azure:container:/a/b", "azure:container:/a/b", "a/b")]
    [InlineData("azure:container:/p/", "azure:container:/p", "p")]
    [InlineData("azure:container:p", "azure:container:/p", "p")]
    [InlineData("azure:container:/./a//b", "azure:container:/a/b", "a/b")]
    [InlineData("azure:container", "azure:container:/", "")]
    public void The_forms_of_stock_restic_are_read(string url, string same, string prefix)
    {
        var address = AzureAddress.Parse(url);

        Assert.Equal((same, "container", prefix), (address.ToString(), address.Container, address.Prefix));
    }

    [Theory]
    [InlineData("azure:")]
    [InlineData("azure::/p")]
    [InlineData("azure:Container:/p")]
    [InlineData("azure:ab:/p")]
    [InlineData("azure:a--b:/p")]
    [InlineData("azure:-ab:/p")]
    [InlineData("azure:https://account.blob.core.windows.net/container")]
    [InlineData("azure:container:/ü")]
    [InlineData("azure:container:/a/../b")]
    public void What_is_none_says_how_one_looks(string url)
        => Assert.Contains("azure:container:/prefix", Assert.Throws<BadInputException>(() => AzureAddress.Parse(url)).Hint,
            StringComparison.Ordinal);

    [Fact]
    public async Task The_account_is_a_host_of_the_suffix()
    {
        await using var world = Open(("AZURE_ACCOUNT_NAME", "account"), ("AZURE_ACCOUNT_KEY", Key));
        await using var china = Open(("AZURE_ACCOUNT_NAME", "account"), ("AZURE_ACCOUNT_SAS", "?sv=1&sig=x"),
            ("AZURE_ENDPOINT_SUFFIX", "core.chinacloudapi.cn"));

        Assert.Equal("https://account.blob.core.windows.net", world.Account);
        Assert.Equal("https://account.blob.core.chinacloudapi.cn", china.Account);
    }

    [Fact]
    public async Task The_variables_of_restic_come_before_the_connection_string()
    {
        await using var store = Open(("AZURE_ACCOUNT_NAME", "account"), ("AZURE_ACCOUNT_KEY", Key),
            ("AZURE_STORAGE_CONNECTION_STRING", "UseDevelopmentStorage=true"));

        Assert.Equal("https://account.blob.core.windows.net", store.Account);
    }

    [Fact]
    public void Missing_and_unreadable_credentials_name_the_variable_and_never_the_secret()
    {
        (string, string) account = ("AZURE_ACCOUNT_NAME", "account");
        (string Field, (string, string)[] Variables)[] rows =
        [
            ("AZURE_ACCOUNT_NAME", []),
            ("AZURE_ACCOUNT_NAME", [("AZURE_ACCOUNT_NAME", "account.blob.core.windows.net"), ("AZURE_ACCOUNT_KEY", Key)]),
            ("AZURE_ACCOUNT_KEY", [account]),
            ("AZURE_ACCOUNT_KEY", [account, ("AZURE_ACCOUNT_KEY", "hunter2!")]),
            ("AZURE_ENDPOINT_SUFFIX", [account, ("AZURE_ACCOUNT_KEY", Key), ("AZURE_ENDPOINT_SUFFIX", "evil.test/x?")]),
            ("AZURE_STORAGE_CONNECTION_STRING", [("AZURE_STORAGE_CONNECTION_STRING", "AccountKey=hunter2!")]),
        ];

        Assert.All(rows, row =>
        {
            var e = Assert.Throws<BadInputException>(() => Open(row.Variables));
            Assert.Equal(row.Field, e.Field);
            Assert.NotEmpty(e.Hint!);
            Assert.DoesNotContain("hunter2", e.ToString(), StringComparison.Ordinal);
        });
    }
}
