// SPDX-License-Identifier: Apache-2.0

package main

import (
	"database/sql"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	_ "github.com/go-sql-driver/mysql"
	"github.com/godaddy/asherah/go/appencryption"
	"github.com/godaddy/asherah/go/appencryption/pkg/persistence"
	"github.com/godaddy/asherah/go/appencryption/plugins/aws-v2/dynamodb/metastore"
	_ "github.com/jackc/pgx/v5/stdlib"
)

// table is one in DynamoDB.
type table struct {
	Endpoint     string `json:"endpoint"`
	Region       string `json:"region"`
	Name         string `json:"name"`
	RegionSuffix bool   `json:"regionSuffix"`
}

// openStore gives one of the library's own metastores, and what closes it.
func openStore(q *request) (appencryption.Metastore, func() error, error) {
	switch {
	case q.Postgres != "":
		return openSQL("pgx", q.Postgres, persistence.Postgres)
	case q.MySQL != "":
		return openSQL("mysql", q.MySQL, persistence.MySQL)
	case q.DynamoDB != nil:
		client := dynamodb.New(dynamodb.Options{
			Region:       q.DynamoDB.Region,
			BaseEndpoint: aws.String(q.DynamoDB.Endpoint),
			Credentials:  credentials.NewStaticCredentialsProvider("test", "test", ""),
		})
		store, err := metastore.NewDynamoDB(metastore.WithDynamoDBClient(client), metastore.WithTableName(q.DynamoDB.Name),
			metastore.WithRegionSuffix(q.DynamoDB.RegionSuffix))
		return store, func() error { return nil }, err
	}
	return nil, nil, errors.New("no metastore: expected postgres, mysql or dynamodb")
}

func openSQL(driver, dsn string, kind persistence.SQLMetastoreDBType) (appencryption.Metastore, func() error, error) {
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return nil, nil, err
	}
	return persistence.NewSQLMetastore(db, persistence.WithSQLMetastoreDBType(kind)), db.Close, nil
}
