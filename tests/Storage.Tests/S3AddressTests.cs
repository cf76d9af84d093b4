using BackupDr.Contracts;
using BackupDr.Storage.S3;

namespace BackupDr.Storage.Tests;

public sealed class S3AddressTests
{
    [Theory]
    [InlineData("s3:https://host/bucket", "s3:https://host/bucket", "bucket", "")]
    [InlineData("s3:http://host:9000/bucket/a/b", "s3:http://host:9000/bucket/a/b", "bucket", "a/b")]
    [InlineData("s3:host/bucket/p/", "s3:https://host/bucket/p", "bucket", "p")]
    [InlineData("s3://host/bucket//p", "s3:https://host/bucket/p", "bucket", "p")]
    [InlineData("s3:s3.amazonaws.com/bucket", "s3:https://s3.amazonaws.com/bucket", "bucket", "")]
    public void The_forms_of_stock_restic_are_read(string url, string same, string bucket, string prefix)
    {
        var address = S3Address.Parse(url);

        Assert.Equal((same, bucket, prefix), (address.ToString(), address.Bucket, address.Prefix));
    }

    [Theory]
    [InlineData("s3:")]
    [InlineData("s3:https://host")]
    [InlineData("s3:https://host/")]
    [InlineData("s3:https://user:secret@host/bucket")]
    [InlineData("s3:https://host/bucket?x=1")]
    [InlineData("s3:https://host/bucket/ü")]
    public void What_is_none_says_how_one_looks(string url)
    {
        var e = Assert.Throws<BadInputException>(() => S3Address.Parse(url));

        Assert.NotEmpty(e.Hint!);
        Assert.DoesNotContain("secret", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("s3:https://s3.amazonaws.com/b", "us-east-1", true)]
    [InlineData("s3:https://s3.eu-central-1.amazonaws.com/b", "eu-central-1", true)]
    [InlineData("s3:https://s3.dualstack.eu-west-1.amazonaws.com/b", "eu-west-1", true)]
    [InlineData("s3:https://s3.cn-north-1.amazonaws.com.cn/b", "cn-north-1", true)]
    [InlineData("s3:https://oss-eu-central-1.aliyuncs.com/b", "eu-central-1", true)]
    [InlineData("s3:https://obs.eu-west-101.myhuaweicloud.com/b", "eu-west-101", true)]
    [InlineData("s3:https://storage.googleapis.com/b", null, true)]
    [InlineData("s3:https://account.r2.cloudflarestorage.com/b", "auto", false)]
    [InlineData("s3:https://s3.wasabisys.com/b", "us-east-1", false)]
    [InlineData("s3:https://s3.eu-central-2.wasabisys.com/b", "eu-central-2", false)]
    [InlineData("s3:https://s3.us-west-004.backblazeb2.com/b", "us-west-004", false)]
    [InlineData("s3:http://127.0.0.1:9000/b", null, false)]
    public void A_providers_host_tells_the_region_and_the_style(string url, string? region, bool virtualHost)
    {
        var address = S3Address.Parse(url);

        Assert.Equal((region, virtualHost), (address.RegionOfHost, address.WantsVirtualHost));
    }

    [Theory]
    [InlineData("s3.regio=x")]
    [InlineData("=x")]
    [InlineData("connections")]
    public void An_option_that_does_not_exist_is_bad_input(string option)
        => Assert.Contains("s3.region", Assert.Throws<BadInputException>(() => new StoreOptions(option)).Hint, StringComparison.Ordinal);
}
